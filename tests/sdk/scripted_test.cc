// Against routers that follow a script: what a real cluster does too rarely to test.

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <future>
#include <memory>
#include <ostream>
#include <vector>

#include "sdk/include/spillway/client.h"
#include "tests/sdk/scripted_router.h"

namespace bdata = boost::unit_test::data;

namespace spillway::tests {

namespace {

constexpr auto for_ever = std::chrono::milliseconds::max();
constexpr auto patience = std::chrono::seconds(60);  // only decides how long a failure takes

/// A client whose time limits decide nothing.
sdk::ClientOptions to(const std::vector<std::string>& endpoints) {
  sdk::ClientOptions options;
  for (const auto& endpoint : endpoints) options.endpoints.push_back({endpoint, ""});
  options.connect_timeout = options.silence_max = options.unavailable_max = patience;
  return options;
}

ScriptedRouter::Script refuse(core::Errc code) {
  return [code](const core::ClientMessage&) -> ScriptedRouter::Answers {
    return {core::Failed{{}, code, "refused by script", std::chrono::seconds(3)}};
  };
}

struct Refused {
  const char* rule;
  core::Errc first;
  core::Errc second;
  sdk::Code want;
  int retry_ms;
  friend std::ostream& operator<<(std::ostream& out, const Refused& c) { return out << c.rule; }
};

const Refused refusals[] = {
    {"wrong keys everywhere are unauthorized", core::Errc::unauthorized, core::Errc::unauthorized, sdk::Code::unauthorized, 0},
    {"another version everywhere is incompatible", core::Errc::incompatible, core::Errc::incompatible, sdk::Code::incompatible, 0},
    {"two final reasons: the first one's", core::Errc::incompatible, core::Errc::unauthorized, sdk::Code::incompatible, 0},
    {"one that may come back makes it unavailable", core::Errc::unauthorized, core::Errc::unavailable, sdk::Code::unavailable, 1000},
    {"also when it is the first", core::Errc::queue_full, core::Errc::unauthorized, sdk::Code::unavailable, 1000},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(scripted)

BOOST_DATA_TEST_CASE(connect_tells_final_refusals_from_passing_ones, bdata::make(refusals), c) {
  const ScriptedRouter first(refuse(c.first));
  const ScriptedRouter second(refuse(c.second));
  const auto refused = sdk::Client::connect(to({first.endpoint(), second.endpoint()}));
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST(sdk::to_string(refused.error().code) == sdk::to_string(c.want));
  BOOST_TEST(refused.error().retry_after.count() == c.retry_ms);
  for (const auto* router : {&first, &second}) BOOST_TEST(refused.error().message.find(router->endpoint()) != std::string::npos);
  BOOST_TEST(refused.error().message.find("refused by script") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(no_chunk_comes_after_the_client_was_destroyed_in_a_callback) {
  std::promise<void> all_arrived;
  std::atomic<int> submits{0};
  const ScriptedRouter router([&](const core::ClientMessage& message) -> ScriptedRouter::Answers {
    if (std::holds_alternative<core::ClientHello>(message)) return {core::ServerHello{}};
    if (const auto* ping = std::get_if<core::Ping>(&message); ping != nullptr && ping->answer) all_arrived.set_value();
    const auto* submit = std::get_if<core::Submit>(&message);
    if (submit == nullptr) return {};
    ++submits;
    ScriptedRouter::Answers answers;
    for (std::uint32_t i = 0; i < 8; ++i) {
      core::Delta delta;
      delta.request = submit->request;
      delta.first_index = i;
      delta.tokens.resize(1);
      answers.emplace_back(delta);
    }
    answers.emplace_back(core::Ping{1, false});  // its answer: the client has all of them
    return answers;
  });
  auto connected = sdk::Client::connect(to({router.endpoint()}));
  BOOST_REQUIRE(connected.ok());
  auto client = std::make_unique<sdk::Client>(std::move(*connected));
  std::promise<void> go;
  int chunks = 0;
  std::promise<sdk::Code> ended;
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&, wait = go.get_future().share()](const sdk::Chunk&) {
    if (++chunks == 1) wait.wait();   // the others gather behind this one
    if (chunks == 2) client.reset();  // the first of the gathered
  };
  callbacks.on_end = [&](const sdk::Result<sdk::Completion>& done) { ended.set_value(done ? sdk::Code::ok : done.error().code); };
  sdk::Request request;
  request.prompt = "Hello";
  auto stream = client->stream(request, std::move(callbacks));
  BOOST_REQUIRE(stream.ok());
  BOOST_REQUIRE((all_arrived.get_future().wait_for(patience) == std::future_status::ready));
  auto late = client->stream(request);  // gathers behind them
  BOOST_REQUIRE(late.ok());
  go.set_value();
  BOOST_TEST((ended.get_future().get() == sdk::Code::cancelled));
  const auto rest = late->wait();
  BOOST_REQUIRE(!rest.ok());
  BOOST_TEST((rest.error().code == sdk::Code::cancelled));
  BOOST_TEST(chunks == 2);
  BOOST_TEST(submits == 1);
}

BOOST_AUTO_TEST_CASE(the_longest_time_limits_are_no_time_limits) {
  const ScriptedRouter router([](const core::ClientMessage& message) -> ScriptedRouter::Answers {
    if (std::holds_alternative<core::ClientHello>(message)) return {core::ServerHello{}};
    if (const auto* asked = std::get_if<core::StatusRequest>(&message)) return {core::StatusReply{asked->operation, {}, {}, {}}};
    if (const auto* submit = std::get_if<core::Submit>(&message)) {
      // The first time it is refused for a moment, then it ends.
      if (!submit->resumed) {
        core::Accepted accepted;
        accepted.request = submit->request;
        return {accepted, core::Failed{submit->request, core::Errc::unavailable, "not now", core::Duration{1}}};
      }
      core::Finished finished;
      finished.request = submit->request;
      return {finished};
    }
    return {};
  });
  auto options = to({router.endpoint()});
  options.connect_timeout = options.silence_max = options.unavailable_max = for_ever;
  auto client = sdk::Client::connect(options);
  BOOST_REQUIRE_MESSAGE(client.ok(), (client ? "" : client.error().message));
  const auto status = client->status(for_ever);
  BOOST_TEST(status.ok(), (status ? "" : status.error().message));
  sdk::Request request;
  request.prompt = "Hello";
  request.timeout = request.deadline = for_ever;
  const auto done = client->complete(request);
  BOOST_TEST(done.ok(), (done ? "" : done.error().message));
}

BOOST_AUTO_TEST_CASE(rungs_that_were_taken_are_told_and_a_re_submission_asks_for_the_model_that_answered) {
  std::string model_again;
  const ScriptedRouter router([&](const core::ClientMessage& message) -> ScriptedRouter::Answers {
    if (std::holds_alternative<core::ClientHello>(message)) return {core::ServerHello{}};
    const auto* submit = std::get_if<core::Submit>(&message);
    if (submit == nullptr) return {};
    core::Accepted accepted;
    accepted.request = submit->request;
    if (!submit->resumed) {
      accepted.rungs = {"shorter:5", "model:small"};
      accepted.pressure = core::Pressure::saturation;
      accepted.model = "small";
      return {accepted, core::Failed{submit->request, core::Errc::unavailable, "not now", core::Duration{1}}};
    }
    model_again = submit->model;
    core::Finished finished;
    finished.request = submit->request;
    return {accepted, finished};  // who takes it over does not know what its predecessor took
  });
  auto client = sdk::Client::connect(to({router.endpoint()}));
  BOOST_REQUIRE(client.ok());
  sdk::Request request;
  request.prompt = "Hello";
  request.model = "large";
  const auto done = client->complete(request);
  BOOST_REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().message));
  BOOST_TEST(model_again == "small");
  BOOST_TEST(done->model == "small");
  BOOST_TEST(done->pressure == "saturation");
  BOOST_TEST((done->rungs == std::vector<std::string>{"shorter:5", "model:small"}));
}

namespace {

struct MovedBefore {
  const char* rule;
  const char* runs_on;  // what the second router says
  bool want;
  friend std::ostream& operator<<(std::ostream& out, const MovedBefore& c) { return out << c.rule; }
};

const MovedBefore moves_before[] = {
    {"the first router had moved it: committed", "green", true},
    {"the stream is elsewhere: the second router's error", "red", false},
};

}  // namespace

BOOST_DATA_TEST_CASE(a_move_whose_router_died_is_judged_by_where_the_stream_runs, bdata::make(moves_before), c) {
  constexpr core::RequestId request{{7, 9}};
  std::promise<void> asked;
  auto first = std::make_unique<ScriptedRouter>([&](const core::ClientMessage& message) -> ScriptedRouter::Answers {
    if (std::holds_alternative<core::ClientHello>(message)) return {core::ServerHello{}};
    if (std::holds_alternative<core::MoveRequest>(message)) asked.set_value();
    return {};
  });
  const ScriptedRouter second([&](const core::ClientMessage& message) -> ScriptedRouter::Answers {
    if (std::holds_alternative<core::ClientHello>(message)) return {core::ServerHello{}};
    if (const auto* move = std::get_if<core::MoveRequest>(&message)) {
      core::OperationUpdate update;
      update.operation = move->operation;
      update.done = true;
      update.code = core::Errc::already_exists;
      update.text = "the stream runs on green already";
      return {update};
    }
    const auto* status = std::get_if<core::StatusRequest>(&message);
    if (status == nullptr) return {};
    core::StatusReply reply;
    reply.operation = status->operation;
    for (const char* name : {"red", "green"}) reply.nodes.emplace_back().name = name;
    auto& stream = reply.streams.emplace_back();
    stream.key.request = request;
    stream.node = core::node_id(c.runs_on);
    return {reply};
  });
  auto client = sdk::Client::connect(to({first->endpoint(), second.endpoint()}));
  BOOST_REQUIRE(client.ok());
  auto moving = std::async(std::launch::async, [&] { return client->move(core::to_hex(request), "green", patience); });
  BOOST_REQUIRE((asked.get_future().wait_for(patience) == std::future_status::ready));
  first.reset();
  const auto moved = moving.get();
  BOOST_TEST(moved.ok() == c.want);
  if (moved) {
    BOOST_TEST(moved->committed);
    BOOST_TEST(moved->destination == "green");
  } else {
    BOOST_TEST(moved.error().message == "the stream runs on green already");
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
