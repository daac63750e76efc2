#include "app/perplexity_command.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "app/progress_line.h"
#include "app/score_command.h"
#include "model/perplexity.h"

namespace spillway::app {

int models_perplexity(const PerplexityOptions& options, std::ostream& out, std::ostream& errors) {
  const auto failed = [&errors](const std::string& message) {
    errors << "spillway: " << message << "\n";
    return 1;
  };
  std::ifstream file(options.text, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) return failed("cannot read " + options.text + ": want a file with the text");
  const auto device = open_scoring_device(options.model, options.kv, options.threads);
  if (!device) return failed(device.error().message);
  core::Result<model::Perplexity> found;
  {
    const ProgressLine line("windows");
    found = model::perplexity(**device, text, options.window, [&line](std::size_t done, std::size_t all) { line.show(done, all); });
  }
  if (!found) return failed(options.text + ": " + found.error().message);
  if (options.json) {
    out << boost::json::serialize(boost::json::object{{"perplexity", found->value}, {"tokens", found->tokens}, {"windows", found->windows}})
        << "\n";
  } else {
    out << "perplexity " << found->value << " (" << found->tokens << " tokens of " << found->windows << " windows)\n";
  }
  return 0;
}

void add_models_perplexity(CLI::App& models, Run& run) {
  const auto options = std::make_shared<PerplexityOptions>();
  CLI::App* command = models.add_subcommand("perplexity", "How well a model foresees a text, in windows of its tokens");
  command->add_option("--model", options->model, "Path or known name")->required();
  command->add_option("--text", options->text, "File with the text")->required();
  command->add_option("--window", options->window, "Tokens of a window; the last (N - 1) / 2 of each are scored (default 512)");
  command->add_option("--kv", options->kv, "Page format of the KV cache: raw32, raw16 (default raw16)")
      ->check(CLI::IsMember({"raw32", "raw16"}));
  command->add_option("--threads", options->threads, "Threads of the model step; default: all");
  command->add_flag("--json", options->json, "Print {perplexity, tokens, windows}");
  command->callback([options, &run] { run = [options] { return models_perplexity(*options, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
