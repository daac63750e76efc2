#include <boost/test/unit_test.hpp>

#include "core/digest.h"
#include "tests/sched/cluster_sim.h"

/// The clients of the simulated cluster, what they may see, and the end of a play.
namespace spillway::sched::test {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const core::TenantId tenant = core::tenant_id("tests");

}  // namespace

std::size_t ClusterSim::submit(const StreamSpec& spec) {
  auto request = std::make_shared<core::Request>();
  request->key = {tenant, core::RequestId{{mix(options_.seed, 1000), clients_.size() + 1}}};
  request->model = core::model_id("fake");
  std::vector<core::TokenId> prompt = spec.prompt_tokens;
  while (prompt.size() < spec.prompt) prompt.push_back(static_cast<core::TokenId>(random_.below(vocabulary)));
  request->prompt = std::move(prompt);
  request->choices = spec.choices;
  request->tokens_max = spec.tokens_max;
  request->ignore_eos = spec.ignore_eos;
  request->sampling.temperature = spec.temperature;
  request->adapter = spec.adapter;
  request->sampling.seed = mix(options_.seed, clients_.size());
  auto client = std::make_unique<Client>();
  client->request = request->key.request;
  client->spec = request;
  client->deadline = spec.deadline;
  for (std::uint32_t c = 0; c < spec.choices; ++c) client->expected.push_back(undisturbed(*request, c));
  client->got.resize(spec.choices);
  client->finish.resize(spec.choices, core::FinishReason::none);
  client->router = spec.router;
  by_key_[request->key] = clients_.size();
  clients_.push_back(std::move(client));
  ++counts.streams;
  submit_now(clients_.size() - 1);
  return clients_.size() - 1;
}

void ClusterSim::submit_now(std::size_t stream) {
  Client& client = *clients_[stream];
  RouterCore::Admit admit;
  client.ref = admit.client = {next_ref_++};
  by_ref_[{client.router, client.ref}] = stream;
  admit.tenant_name = "tests";
  admit.secret = core::tenant_secret({}, "tests");
  admit.request = std::make_shared<core::Request>(*client.spec);
  admit.deadline = client.deadline;
  if (client.accepted) {
    admit.resumed = true;
    admit.resume = client.resume;
    admit.resume.choices.clear();
    for (std::size_t c = 0; c < client.got.size(); ++c) {
      core::ChoiceState& state = admit.resume.choices.emplace_back();
      for (const core::TokenOut& token : client.got[c]) state.tokens.push_back(token.token);
      state.finish = client.finish[c];
    }
  }
  router<decisions::router::Admit>(client.router, admit);
}

void ClusterSim::submit_again(std::size_t stream, core::Duration delay) {
  clients_[stream]->ref = {};
  after(delay, [this, stream] {
    Client& client = *clients_[stream];
    if (client.over || client.ref) return;
    // The next router of its list that answers.
    for (std::uint32_t tries = 0; tries < nodes(); ++tries) {
      client.router = (client.router + 1) % nodes();
      if (nodes_[client.router].alive) break;
    }
    if (!nodes_[client.router].alive) return submit_again(stream, milliseconds(100));
    ++counts.resubmitted;
    submit_now(stream);
  });
}

void ClusterSim::to_client(std::uint32_t n, const RouterCore::ToClient& action) {
  const auto it = by_ref_.find({n, action.client});
  if (it == by_ref_.end() || clients_[it->second]->ref != action.client) return;
  const std::size_t stream = it->second;
  Client& client = *clients_[stream];
  if (client.over) fail("a stream that is over goes on");
  if (const auto* accepted = std::get_if<core::Accepted>(&action.message)) {
    if (client.accepted && (accepted->seed != client.resume.seed || accepted->weights_digest != client.resume.weights_digest))
      fail("accepted as another");
    client.accepted = true;
    client.resume.seed = accepted->seed;
    client.resume.weights_digest = accepted->weights_digest;
    client.resume.numerics_id = accepted->numerics_id;
  } else if (const auto* delta = std::get_if<core::Delta>(&action.message)) {
    if (!client.accepted) fail("tokens before Accepted");
    take_delta(client, *delta);
  } else if (const auto* finished = std::get_if<core::Finished>(&action.message)) {
    client.over = true;
    client.finished = *finished;
    ++counts.finished;
    for (std::size_t c = 0; c < client.got.size(); ++c) {
      if (client.finish[c] == core::FinishReason::none) fail("finished with a choice that is not over");
    }
  } else {
    const auto& failed = std::get<core::Failed>(action.message);
    const bool again =
        failed.code == core::Errc::draining || failed.code == core::Errc::unavailable || failed.code == core::Errc::queue_full;
    if (!again) fail("stream " + std::to_string(stream) + " failed: " + failed.reason);
    submit_again(stream, std::max<core::Duration>(failed.retry_after, milliseconds(20)));
  }
}

void ClusterSim::take_delta(Client& client, const core::Delta& delta) {
  auto& got = client.got.at(delta.choice);
  const auto& expected = client.expected[delta.choice];
  if (delta.first_index != got.size() && !delta.tokens.empty())
    fail("tokens out of order: " + std::to_string(delta.first_index) + " after " + std::to_string(got.size()));
  if (client.finish[delta.choice] != core::FinishReason::none) fail("a choice that is over goes on");
  for (const core::TokenOut& token : delta.tokens) {
    if (got.size() >= expected.size() || token.token != expected[got.size()].token || token.is_end || expected[got.size()].is_end) {
      fail("token " + std::to_string(got.size()) + " of choice " + std::to_string(delta.choice) + " is not the undisturbed one");
    }
    got.push_back(token);
    ++counts.tokens;
  }
  client.finish[delta.choice] = delta.finish;
  if (delta.finish == core::FinishReason::stop || delta.finish == core::FinishReason::length) {
    const std::size_t length = expected.size() - (expected.back().is_end ? 1 : 0);
    if (got.size() != length || delta.finish != expected.back().finish)
      fail("a choice ended at " + std::to_string(got.size()) + " of " + std::to_string(length) + " tokens");
  } else if (delta.finish == core::FinishReason::cancelled ? !client.cancelled
                                                           : delta.finish == core::FinishReason::deadline && client.deadline.count() == 0) {
    fail("a choice ended that nobody ended");
  }
  if (delta.choice != 0) return;
  while (!client.at_tokens.empty() && client.at_tokens.begin()->first <= got.size()) {
    at(now_, client.at_tokens.begin()->second);
    client.at_tokens.erase(client.at_tokens.begin());
  }
}

void ClusterSim::at_tokens(std::size_t stream, std::uint32_t tokens, std::function<void()> then) {
  clients_[stream]->at_tokens.emplace(tokens, std::move(then));
}

std::uint64_t ClusterSim::ask_move(std::size_t stream, std::uint32_t destination, std::uint32_t at_router) {
  const std::uint64_t operation = next_operation_++;
  ++counts.moves_asked;
  asked_moves_.insert(operation);
  const core::ClientMessage request = core::MoveRequest{operation, clients_[stream]->request, nodes_[destination].name};
  router<decisions::router::Operator>(at_router, ClientRef{1U << 30}, request);
  return operation;
}

std::uint64_t ClusterSim::ask_drain(std::uint32_t node, core::DrainMode mode, std::uint32_t at_router) {
  const std::uint64_t operation = next_operation_++;
  const core::ClientMessage request = core::DrainRequest{operation, nodes_[node].name, mode};
  router<decisions::router::Operator>(at_router, ClientRef{1U << 30}, request);
  return operation;
}

std::uint64_t ClusterSim::ask_status(std::uint32_t at_router) {
  const std::uint64_t operation = next_operation_++;
  router<decisions::router::Operator>(at_router, ClientRef{1U << 30}, core::ClientMessage{core::StatusRequest{operation}});
  return operation;
}

void ClusterSim::cancel(std::size_t stream) {
  Client& client = *clients_[stream];
  if (client.over) return;
  client.cancelled = true;
  router<decisions::router::Cancel>(client.router, client.ref, client.spec->key);
}

void ClusterSim::client_gone(std::size_t stream) {
  Client& client = *clients_[stream];
  if (client.over) return;
  client.over = client.gone = true;
  ++counts.finished;
  router<decisions::router::ClientGone>(client.router, client.ref);
}

// -- Moves as seen from outside --------------------------------------------------------------------------------------------------

void ClusterSim::observe(const core::Message& message) {
  const auto look = [&](const StreamKey& key, const Epoch& epoch, const auto& put) {
    const auto stream = by_key_.find(key);
    if (stream == by_key_.end()) return;
    Carried& carried = carried_[{key, epoch}];
    carried.choices = clients_[stream->second]->spec->choices;
    const bool complete = carried.accepted && carried.report;
    put(carried);
    if (!complete && carried.accepted && carried.report) check_move(key, carried);
  };
  if (const auto* accepted = std::get_if<core::RunAccepted>(&message); accepted != nullptr && accepted->imported) {
    look(accepted->key, accepted->epoch, [&](Carried& c) { c.accepted = *accepted; });
  }
  if (const auto* report = std::get_if<core::MoveReport>(&message)) {
    look(report->key, report->new_epoch, [&](Carried& c) { c.report = *report; });
  }
}

/// What a committed move may have cost.
void ClusterSim::check_move(const StreamKey&, const Carried& carried) {
  const core::MoveReport& report = *carried.report;
  const core::RunAccepted& accepted = *carried.accepted;
  const auto must = [&](bool holds, const std::string& what) {
    if (!holds) fail("a committed move: " + what);
  };
  ++counts.checked_moves;
  counts.blocks_carried += report.blocks_sent;
  counts.rows_after_freeze += report.rows_after_freeze;
  must(accepted.blocks_imported == report.blocks,
       std::to_string(report.blocks) + " blocks held, " + std::to_string(accepted.blocks_imported) + " imported");
  must(report.page_bytes == report.blocks_sent * sizeof(Page), "page bytes are not blocks x page");
  must(report.rows_after_freeze <= 2 * carried.choices, std::to_string(report.rows_after_freeze) + " rows after the freeze");
  if (report.blocks == 0) return;  // moved out of the queue
  must(accepted.rows_to_compute <= 2 * carried.choices, std::to_string(accepted.rows_to_compute) + " rows computed again");
  if (report.blocks_sent <= 64) return;
  ++counts.long_moves;
  must(report.steps_during_copy > 0, "no step during the copy of " + std::to_string(report.blocks_sent) + " blocks");
}

std::uint32_t ClusterSim::router_of(std::size_t stream) const {
  return clients_[stream]->router;
}
bool ClusterSim::over(std::size_t stream) const {
  return clients_[stream]->over;
}
std::uint32_t ClusterSim::tokens_of(std::size_t stream, std::uint32_t choice) const {
  return static_cast<std::uint32_t>(clients_[stream]->got[choice].size());
}

std::uint32_t ClusterSim::place_of(std::size_t stream) const {
  const Client& client = *clients_[stream];
  if (!nodes_[client.router].alive) return nodes();
  for (const core::StreamStatus& status : nodes_[client.router].router->stream_status()) {
    if (status.key == client.spec->key && status.node) return index(status.node);
  }
  return nodes();
}

/// Between the source's Offer and the end of its export.
bool ClusterSim::moving(std::size_t stream) const {
  const std::uint32_t place = place_of(stream);
  return place < nodes() && nodes_[place].alive && nodes_[place].cache->exports() > 0;
}

// -- Play ------------------------------------------------------------------------------------------------------------------------

void ClusterSim::run_for(core::Duration time) {
  const Instant end = now_ + time;
  while (!queue_.empty() && queue_.begin()->first.first <= end) {
    now_ = queue_.begin()->first.first;
    const auto event = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    ++counts.events;
    event();
  }
  now_ = end;
}

bool ClusterSim::empty() const {
  for (const Node& node : nodes_) {
    if (!node.alive || node.router->streams() > 0 || !node.batcher->idle() || node.cache->exports() + node.cache->imports() > 0)
      return false;
  }
  return true;
}

void ClusterSim::check_empty() const {
  for (std::uint32_t n = 0; n < nodes(); ++n) {
    const Node& node = nodes_[n];
    if (!node.alive) fail(node.name + " is still down");
    if (node.router->streams() > 0) fail(node.name + " still owns " + std::to_string(node.router->streams()) + " streams");
    if (node.cache->exports() > 0) fail(node.name + " still exports");
    if (node.cache->imports() > 0) fail(node.name + " still imports");
    if (!node.batcher->idle()) fail("the batcher of " + node.name + " is not idle");
    const core::ReplicaReport report = node.batcher->report(now_);
    if (report.blocks_used != 0 || report.blocks_free != report.blocks_total)
      fail(node.name + " leaks " + std::to_string(report.blocks_used) + " blocks");
    check_node(n);
  }
}

void ClusterSim::play(core::Duration limit) {
  const Instant end = now_ + limit;
  const auto all_over = [&] { return std::all_of(clients_.begin(), clients_.end(), [](const auto& c) { return c->over; }); };
  while (!all_over()) {
    if (now_ > end) {
      std::string who;
      for (std::size_t i = 0; i < clients_.size(); ++i) {
        if (!clients_[i]->over) who += " " + std::to_string(i) + " (" + std::to_string(tokens_of(i, 0)) + " tokens)";
      }
      fail("streams do not end:" + who);
    }
    run_for(milliseconds(50));
  }
  const Instant clean = now_ + seconds(10);
  while (!empty() && now_ < clean) run_for(milliseconds(50));
  run_for(milliseconds(300));  // late packets find nothing to break
  check_empty();
  for (const Node& node : nodes_) {
    const core::NodeCounters c = node.router->counters();
    counts.commits += c.moves_committed;
    counts.aborts += c.moves_aborted;
    counts.restarts += c.streams_restarted;
    if (c.tokens_lost > 0) fail("tokens were lost");
  }
}

}  // namespace spillway::sched::test
