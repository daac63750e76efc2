// spillway complete, spillway chat

#include <atomic>
#include <boost/json.hpp>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "app/commands.h"
#include "app/generate_flags.h"

namespace spillway::app {

namespace {

namespace json = boost::json;

std::atomic<bool> interrupted{false};

/// Ctrl-C cancels the request, so that the cluster frees its blocks at once; a second one ends the program.
class CancelOnSignal {
 public:
  explicit CancelOnSignal(sdk::Stream& stream)
      : watcher_([this, &stream] {
          while (!done_) {
            if (interrupted) return stream.cancel();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
          }
        }) {
    const auto handler = [](int signal) {
      interrupted = true;
      std::signal(signal, SIG_DFL);
    };
    std::signal(SIGINT, handler);
    std::signal(SIGTERM, handler);
  }
  ~CancelOnSignal() {
    done_ = true;
    watcher_.join();
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }

 private:
  std::atomic<bool> done_{false};
  std::thread watcher_;
};

json::array token_ids(const sdk::Choice& choice) {
  json::array ids;
  for (const auto& token : choice.tokens) ids.push_back(token.id);
  return ids;
}

json::array logprobs(const sdk::Choice& choice, std::uint32_t wanted) {
  json::array list;
  if (wanted == 0) return list;
  for (const auto& token : choice.tokens) {
    json::array top;
    for (const auto& best : token.top) top.push_back(json::array{best.token, static_cast<double>(best.logprob)});
    list.push_back(json::object{{"id", token.id}, {"logprob", static_cast<double>(token.logprob)}, {"top", std::move(top)}});
  }
  return list;
}

double ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

json::object timings(const sdk::Completion& done, double load_ms) {
  // Time per output token: first to last arrival over the tokens of the longest choice behind the first (as vLLM counts it).
  std::size_t longest = 0;
  for (const auto& choice : done.choices) longest = std::max(longest, choice.tokens.size());
  const double ttft = ms(done.time_to_first_token);
  const double decode = ms(done.total) - ttft;
  const double tpot = longest > 1 ? decode / static_cast<double>(longest - 1) : 0.0;
  const double after_first = static_cast<double>(done.usage.completion_tokens) - static_cast<double>(done.choices.size());
  return {{"load_ms", load_ms},
          {"ttft_ms", ttft},
          {"tpot_ms", tpot},
          {"prefill_tokens_per_second", ttft > 0 ? done.usage.prompt_tokens * 1000.0 / ttft : 0.0},
          {"decode_tokens_per_second", decode > 0 && after_first > 0 ? after_first * 1000.0 / decode : 0.0}};
}

json::object to_json(const sdk::Completion& done, const GenerateFlags& flags, double load_ms) {
  json::array choices;
  for (const auto& choice : done.choices) {
    choices.push_back(json::object{{"index", choice.index},
                                   {"tokens", token_ids(choice)},
                                   {"text", choice.text},
                                   {"finish_reason", choice.finish_reason},
                                   {"logprobs", logprobs(choice, flags.logprobs)}});
  }
  json::array rungs;
  for (const auto& rung : done.rungs) rungs.emplace_back(rung);
  const auto& first = done.choices.front();
  return {{"prompt_tokens", json::array(done.prompt_tokens.begin(), done.prompt_tokens.end())},
          {"choices", std::move(choices)},
          {"tokens", token_ids(first)},
          {"text", first.text},
          {"finish_reason", first.finish_reason},
          {"logprobs", logprobs(first, flags.logprobs)},
          {"usage",
           {{"prompt_tokens", done.usage.prompt_tokens},
            {"completion_tokens", done.usage.completion_tokens},
            {"cached_tokens", done.usage.cached_tokens}}},
          {"timings", timings(done, load_ms)},
          {"request_id", done.request_id},
          {"seed", done.seed},
          {"numerics_id", done.numerics_id},
          {"isa", done.isa},
          {"moves", done.moves},
          {"restarts", done.restarts},
          {"reconnects", done.reconnects},
          {"rungs", std::move(rungs)},
          {"pressure", done.pressure},
          {"model", done.model}};
}

/// Runs one request: text as it comes when there is one answer, JSON at the end. `answer` gets choice 0.
int generate(Target& target, const sdk::Request& request, const GenerateFlags& flags, std::string* answer = nullptr) {
  auto stream = target.client().stream(request);
  if (!stream) return complain(stream.error());
  const bool live = !flags.json && flags.choices == 1;
  {
    const CancelOnSignal guard(*stream);
    while (const auto chunk = stream->next()) {
      if (live) std::cout << chunk->text << std::flush;
    }
  }
  const auto done = stream->wait();
  if (!done) return complain(done.error());
  if (answer != nullptr) *answer = done->choices.front().text;
  if (flags.json) {
    std::cout << json::serialize(to_json(*done, flags, target.load_ms())) << "\n";
  } else if (live) {
    std::cout << "\n";
  } else {
    for (const auto& choice : done->choices) std::cout << "[" << choice.index << "] " << choice.text << "\n";
  }
  if (const auto failure = failed_answer(*done)) return complain(*failure);
  return interrupted ? 130 : 0;
}

int complete(const GenerateFlags& flags, const std::string& prompt) {
  const auto request = flags.request();
  if (!request) return complain(request.error().message, 2);
  int code = 0;
  const auto target = Target::open(flags, code);
  if (!target) return code;
  sdk::Request asked = *request;
  asked.prompt = prompt;
  return generate(*target, asked, flags);
}

/// A list of messages, or an object with `messages`.
core::Result<std::vector<sdk::Message>> read_messages(const std::string& file) {
  const auto wrong = [&](const std::string& what) { return core::fail(core::Errc::bad_argument, file + ": " + what); };
  std::ifstream in(file, std::ios::binary);
  if (!in) return wrong("cannot be opened");
  std::stringstream text;
  text << in.rdbuf();
  boost::system::error_code error;
  const json::value value = json::parse(text.str(), error);
  if (error) return wrong("is not JSON: " + error.message());
  const json::value* list = &value;
  if (const auto* object = value.if_object()) {
    list = object->if_contains("messages");
    if (list == nullptr) return wrong("the object has no key \"messages\"");
  }
  const auto* array = list->if_array();
  if (array == nullptr) return wrong("want a list of {\"role\", \"content\"}");
  std::vector<sdk::Message> messages;
  for (const auto& item : *array) {
    const auto* object = item.if_object();
    const auto* role = object == nullptr ? nullptr : object->if_contains("role");
    const auto* content = object == nullptr ? nullptr : object->if_contains("content");
    if (role == nullptr || !role->is_string() || content == nullptr || !content->is_string()) {
      return wrong("message " + std::to_string(messages.size()) + ": want {\"role\": TEXT, \"content\": TEXT}");
    }
    messages.push_back({std::string(role->as_string()), std::string(content->as_string())});
  }
  if (messages.empty()) return wrong("no messages: want at least one");
  return messages;
}

int converse(Target& target, const sdk::Request& base, const GenerateFlags& flags) {
  std::vector<sdk::Message> messages;
  std::cerr << "Type a message, an empty line or Ctrl-D to leave.\n";
  for (std::string line; std::cerr << "> " && std::getline(std::cin, line) && !line.empty();) {
    messages.push_back({"user", line});
    sdk::Request request = base;
    request.messages = messages;
    std::string answer;
    if (const int code = generate(target, request, flags, &answer); code != 0) return code;
    messages.push_back({"assistant", answer});
  }
  return 0;
}

int chat(const GenerateFlags& flags, const std::string& file) {
  const auto request = flags.request();
  if (!request) return complain(request.error().message, 2);
  if (flags.json && file.empty()) {
    return complain("--json prints one JSON value, and a talk has many answers: give the conversation with --messages FILE", 2);
  }
  sdk::Request asked = *request;
  if (!file.empty()) {
    auto messages = read_messages(file);
    if (!messages) return complain(messages.error().message, 2);
    asked.messages = std::move(*messages);
  }
  int code = 0;
  const auto target = Target::open(flags, code);
  if (!target) return code;
  return file.empty() ? converse(*target, asked, flags) : generate(*target, asked, flags);
}

}  // namespace

void add_complete_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("complete", "Continue a text, in this process (--model) or on a running cluster (--config)");
  const auto flags = std::make_shared<GenerateFlags>();
  const auto prompt = std::make_shared<std::string>();
  flags->add(*command);
  command->add_option("--prompt", *prompt, "Text to continue")->required();
  command->callback([&run, flags, prompt] { run = [flags, prompt] { return complete(*flags, *prompt); }; });
}

void add_chat_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("chat", "Answer a conversation; without --messages, talk (not with --json)");
  const auto flags = std::make_shared<GenerateFlags>();
  const auto file = std::make_shared<std::string>();
  flags->add(*command);
  command->add_option("--messages", *file, "JSON file: a list of {role, content}, or an object with `messages`")->type_name("FILE");
  command->callback([&run, flags, file] { run = [flags, file] { return chat(*flags, *file); }; });
}

}  // namespace spillway::app
