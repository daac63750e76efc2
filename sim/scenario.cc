#include "sim/scenario.h"

#include <algorithm>

#include "core/step.h"
#include "sim/toml_tables.h"

namespace spillway::sim {

namespace {

using config::bind;
using config::ErrorKind;
using config::KeySpec;
using config::s;
using config::Tree;
using config::Type;

constexpr std::uint64_t day = 24 * 3600 * s;
constexpr std::uint64_t tera = 1'000'000'000'000;
constexpr std::size_t types_max = 256;
constexpr std::string_view fault_words[] = {"kill", "fail_worker", "slow", "partition", "drain"};
constexpr std::string_view format_words[] = {"azure", "mooncake", "burstgpt", "bailian", "native", "vllm"};
constexpr std::string_view table_names[] = {"network", "start", "slo", "types", "faults"};
constexpr std::string_view slo_names[] = {"live", "interactive", "batch"};

struct TopEntry {
  std::uint32_t version = 0;
  std::filesystem::path workload;
  std::uint32_t format = 4;
  std::filesystem::path event;
};
struct SloEntry {
  core::Duration ttft{0};
  core::Duration tpot{0};
  core::Duration e2e{0};
};

template <class S, auto Member>
constexpr KeySpec time(std::string_view name, std::uint64_t max, std::string_view example, bool required = false) {
  return bind<S, Member>({.name = name, .type = Type::duration, .min = 0, .max = max, .required = required, .example = example});
}
template <class S, auto Member>
constexpr KeySpec count(std::string_view name, std::uint64_t max, std::string_view unit, std::string_view example, std::uint64_t min = 0) {
  return bind<S, Member>({.name = name, .type = Type::count, .unit = unit, .min = min, .max = max, .example = example});
}
template <class S, auto Member>
constexpr KeySpec nodes(std::string_view example) {
  return bind<S, Member>({.name = "nodes", .type = Type::names, .min = 1, .max = 1024, .required = true, .example = example});
}

constexpr KeySpec top_keys[] = {
    bind<TopEntry, &TopEntry::version>(
        {.name = "version", .type = Type::count, .min = 1, .max = 1, .required = true, .example = "version = 1"}),
    bind<TopEntry, &TopEntry::workload>(
        {.name = "workload", .type = Type::path, .min = 1, .max = 4096, .example = "workload = \"final.jsonl\""}),
    bind<TopEntry, &TopEntry::format>({.name = "format", .type = Type::choice, .example = "format = \"native\"", .words = format_words}),
    bind<TopEntry, &TopEntry::event>({.name = "event", .type = Type::path, .min = 1, .max = 4096, .example = "event = \"final.toml\""}),
};
constexpr KeySpec network_keys[] = {
    time<NetworkSpec, &NetworkSpec::latency>("latency", s, "latency = \"200us\""),
    time<NetworkSpec, &NetworkSpec::zone_latency>("zone_latency", s, "zone_latency = \"1ms\""),
    time<NetworkSpec, &NetworkSpec::client_latency>("client_latency", s, "client_latency = \"1ms\""),
    bind<NetworkSpec, &NetworkSpec::nic_bytes_per_second>(
        {.name = "nic", .type = Type::bandwidth, .min = 1000, .max = tera, .example = "nic = \"1250MB/s\""}),
    bind<NetworkSpec, &NetworkSpec::zone_bytes_per_second>(
        {.name = "zone_link", .type = Type::bandwidth, .min = 1000, .max = tera, .example = "zone_link = \"12500MB/s\""}),
};
constexpr KeySpec start_keys[] = {
    time<StartSpec, &StartSpec::process>("process", day, "process = \"1s\""),
    time<StartSpec, &StartSpec::load>("load", day, "load = \"5s\""),
    bind<StartSpec, &StartSpec::weight_bytes>(
        {.name = "weights", .type = Type::size, .min = 0, .max = tera, .example = "weights = \"16GiB\""}),
};
constexpr KeySpec slo_keys[] = {
    time<SloEntry, &SloEntry::ttft>("ttft", day, "ttft = \"500ms\""),
    time<SloEntry, &SloEntry::tpot>("tpot", day, "tpot = \"50ms\""),
    time<SloEntry, &SloEntry::e2e>("e2e", day, "e2e = \"3s\""),
};
constexpr KeySpec type_keys[] = {
    nodes<NodeType, &NodeType::nodes>("nodes = [\"gpu-1\", \"zone:east\"]"),
    count<NodeType, &NodeType::price_cents_per_hour>("price_cents_per_hour", 10'000'000, "cents", "price_cents_per_hour = 250"),
    count<NodeType, &NodeType::idle_watts>("idle_watts", 1'000'000, "watts", "idle_watts = 120"),
    count<NodeType, &NodeType::busy_watts>("busy_watts", 1'000'000, "watts", "busy_watts = 450"),
    count<NodeType, &NodeType::speed_percent>("speed_percent", 10'000, "percent", "speed_percent = 100", 1),
    count<NodeType, &NodeType::tokens_per_step>("tokens_per_step", core::block_tokens, "tokens", "tokens_per_step = 4", 1),
    count<NodeType, &NodeType::guess_permille>("guess_permille", 1000, "thousandths", "guess_permille = 700"),
    time<NodeType, &NodeType::step_overhead>("step_overhead", s, "step_overhead = \"300us\""),
};
constexpr KeySpec fault_keys[] = {
    bind<Fault, &Fault::kind>({.name = "kind", .type = Type::choice, .required = true, .example = "kind = \"kill\"", .words = fault_words}),
    time<Fault, &Fault::at>("at", 365 * day, "at = \"30s\"", true),
    nodes<Fault, &Fault::nodes>("nodes = [\"edge-3\"]"),
    time<Fault, &Fault::lasts>("for", 365 * day, "for = \"10s\""),
    count<Fault, &Fault::percent>("percent", 100'000, "percent", "percent = 300", 1),
};

class Reader : TomlTables {
 public:
  Reader(const Tree& root, config::Report& report) : TomlTables{root, report, "a scenario", table_names} {}

  Scenario run() {
    TopEntry top;
    read_top("scenario", top_keys, top);
    if (!top.workload.empty() && !top.event.empty())
      report_.add(ErrorKind::exclusive, "event", "want a workload or an event, not both", "leave one out");
    made_.workload = top.workload.string();
    made_.format = std::string(format_words[top.format]);
    made_.event = top.event.string();
    read_table("network", network_keys, made_.network);
    read_table("start", start_keys, made_.start);
    read_slos();
    for_each_entry("types", types_max, [this](const Tree& table, const std::string& path) {
      read(table, "types[]", type_keys, path, &made_.types.emplace_back());
    });
    for_each_entry("faults", scenario_faults_max, [this](const Tree& table, const std::string& path) {
      Fault fault;
      read(table, "faults[]", fault_keys, path, &fault);
      if (fault.kind != FaultKind::slow && report_.has(path + ".percent"))
        report_.add(ErrorKind::not_applicable, path + ".percent", "has a meaning for kind = \"slow\" alone", "leave it out");
      made_.faults.push_back(fault);
    });
    return std::move(made_);
  }

 private:
  void read_slos() {
    const auto* table = root_.child("slo");
    if (table == nullptr || !is_table(*table, "slo")) return;
    for (const auto& child : table->children) {
      const std::string path = "slo." + config::clean(child.key, 60);
      const auto* name = std::find(std::begin(slo_names), std::end(slo_names), child.key);
      if (name == std::end(slo_names)) {
        report_.place(path, child);
        report_.add(ErrorKind::unknown_key, path, "is no class", "want live, interactive or batch");
        continue;
      }
      if (!is_table(child, path)) continue;
      SloEntry entry;
      read(child, "slo.*", slo_keys, path, &entry);
      made_.slos[static_cast<std::size_t>(name - std::begin(slo_names))] = {entry.ttft.count(), entry.tpot.count(), entry.e2e.count()};
    }
  }

  Scenario made_;
};

}  // namespace

std::string_view to_string(FaultKind kind) {
  return fault_words[static_cast<std::size_t>(kind)];
}

LoadedScenario parse_scenario(std::string_view text, std::string_view file) {
  const auto tree = config::parse_tree(text, file);
  if (!tree) return tl::make_unexpected(config::ConfigErrors{tree.error()});
  config::Report report(file);
  auto scenario = Reader(*tree, report).run();
  if (report.failed()) return tl::make_unexpected(report.take());
  scenario.file = std::string(file);
  return scenario;
}

LoadedScenario load_scenario(const std::filesystem::path& file) {
  auto text = read_toml(file, "the file of a scenario");
  if (!text) return tl::make_unexpected(config::ConfigErrors{text.error()});
  auto scenario = parse_scenario(*text, file.string());
  if (!scenario) return scenario;
  const auto beside = [&](std::string& path) {
    if (!path.empty()) path = (file.parent_path() / path).string();
  };
  beside(scenario->workload);
  beside(scenario->event);
  return scenario;
}

}  // namespace spillway::sim
