// Ten thousand broken cluster files: each is accepted and whole, or refused with errors that name what is wrong. Nothing
// crashes, hangs or allocates beyond the file's size + 64 MiB, and every kind of error is met.
#define BOOST_TEST_MODULE config_fuzz
#include <malloc.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <new>
#include <set>

#include "cluster-config/load.h"
#include "cluster-config/schema.h"
#include "tests/cluster-config/config_mutations.h"
#include "tests/cluster-config/error_cases.h"
#include "tests/cluster-config/rich_cluster.h"

namespace {

std::atomic<std::size_t> live_bytes{0};
std::atomic<std::size_t> peak_bytes{0};

void* counted_or_null(std::size_t bytes) noexcept {
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) return nullptr;
  const auto live = live_bytes += malloc_usable_size(memory);
  if (live > peak_bytes) peak_bytes = live;
  return memory;
}

void* counted_new(std::size_t bytes) {
  void* memory = counted_or_null(bytes);
  if (memory == nullptr) throw std::bad_alloc{};
  return memory;
}

void counted_delete(void* memory) noexcept {
  if (memory == nullptr) return;
  live_bytes -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t bytes) {
  return counted_new(bytes);
}
void* operator new[](std::size_t bytes) {
  return counted_new(bytes);
}
// The library's own of these two would do, but not those of the sanitizers.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted_or_null(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted_or_null(bytes);
}
void operator delete(void* memory) noexcept {
  counted_delete(memory);
}
void operator delete[](void* memory) noexcept {
  counted_delete(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  counted_delete(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  counted_delete(memory);
}

namespace spillway::config {
namespace {

constexpr std::size_t mutations = 10'000;
constexpr std::size_t extra_bytes_max = 64U << 20;
constexpr std::size_t message_bytes_max = 4096;

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0U) != 0x80U) return false;
    }
    i += length;
  }
  return true;
}

/// What the structs promise, checked without the code that checks the file.
std::string why_not_whole(const Cluster& cluster) {
  std::set<std::uint64_t> ids;
  std::set<std::pair<std::string, std::uint16_t>> ports;
  if (cluster.nodes.empty() || cluster.nodes.size() > nodes_max) return "number of nodes";
  if (cluster.tenants.empty()) return "no tenant";
  bool router = false;
  for (const auto& node : cluster.nodes) {
    if (node.name.empty() || !ids.insert(node.id.value).second) return "name of " + node.name;
    for (const auto port : {node.ports.control, node.ports.token, node.ports.bulk, node.ports.client}) {
      if (port == 0 || !ports.emplace(node.address, port).second) return "ports of " + node.name;
    }
    for (const auto& model : node.models) {
      if (cluster.models.count(model) == 0) return "models of " + node.name;
    }
    if (node.has(Role::worker) && node.models.empty()) return "worker " + node.name + " without a model";
    if (cluster.security.curve && node.public_key.size() != 40) return "key of " + node.name;
    router = router || node.has(Role::router);
  }
  if (!router) return "no router";
  const auto in_range = [](std::string_view pattern, const void* target) {
    for (const auto& key : section(pattern).keys) {
      if (key.type == Type::boolean || key.type == Type::choice) continue;
      const auto number = key.get(target).number;
      if (number < key.min || number > key.max) return false;
    }
    return true;
  };
  if (!in_range("limits", &cluster.limits) || !in_range("timings", &cluster.timings) || !in_range("spill", &cluster.spill) ||
      !in_range("disaggregation", &cluster.disaggregation))
    return "a limit";
  if (cluster.timings.suspect_after >= cluster.timings.dead_after) return "order of timings";
  return {};
}

/// What happened so far.
struct Tally {
  std::array<std::size_t, error_kinds> kinds{};
  std::set<std::pair<ErrorKind, std::string>> branches;  ///< kind and key without numbers
  std::size_t accepted = 0;
  std::size_t refused = 0;
  std::size_t worst_bytes = 0;  ///< allocated beyond the text's size

  void refuse(const ConfigErrors& errors) {
    ++refused;
    BOOST_REQUIRE(!errors.empty());
    BOOST_REQUIRE(errors.size() <= errors_max + 1);
    for (const auto& error : errors) {
      ++kinds[static_cast<std::size_t>(error.kind)];
      std::string key;
      for (const char c : error.key) key += c >= '0' && c <= '9' ? "" : std::string{c};
      if (branches.size() < 10'000) branches.emplace(error.kind, key);
      const auto message = to_string(error);
      BOOST_REQUIRE(message.size() <= message_bytes_max);
      BOOST_REQUIRE_MESSAGE(is_utf8(message), message);
      BOOST_REQUIRE_MESSAGE(!error.want.empty() && !error.fix.empty(), message);
      const bool file_itself = error.kind == ErrorKind::unreadable || error.kind == ErrorKind::too_large;
      BOOST_REQUIRE_MESSAGE(file_itself || error.line > 0, message);
    }
  }

  void try_text(const std::string& text, const ParseOptions& options = {}) {
    const auto before = live_bytes.load();
    peak_bytes = before;
    const auto loaded = parse_cluster(text, "f.toml", options);
    const auto used = peak_bytes.load() - before;
    const auto beyond = used > text.size() ? used - text.size() : 0;
    if (beyond > worst_bytes) worst_bytes = beyond;
    if (!loaded) return refuse(loaded.error());
    ++accepted;
    const auto why = why_not_whole(*loaded);
    BOOST_REQUIRE_MESSAGE(why.empty(), "accepted, but " << why << ":\n" << text);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(mutations_are_accepted_whole_or_refused_by_name) {
  Tally tally;
  std::vector<std::string> seeds{rich_cluster(), small_cluster(), remote_cluster()};
  for (const auto& each : error_cases()) seeds.push_back(each.text);
  for (const auto& seed : seeds) tally.try_text(seed);

  std::size_t structured = 0;
  for (const auto& text : structured_mutations(rich_cluster())) {
    tally.try_text(text);
    ++structured;
  }
  const auto random = mutations > structured ? mutations - structured : 0;
  for (std::size_t i = 0; i < random; ++i) {
    Dice dice{i};
    tally.try_text(random_mutation(seeds[dice.below(seeds.size())], dice));
  }

  // What no text of the mutations can be: absent, too large, two names of one digest.
  const auto absent = load_cluster("/nonexistent/spillway.toml");
  BOOST_REQUIRE(!absent);
  tally.refuse(absent.error());
  tally.try_text(small_cluster() + std::string(file_bytes_max, '#'));
  ParseOptions colliding;
  colliding.name_id = [](std::string_view) -> std::uint64_t { return 1; };
  tally.try_text(rich_cluster(), colliding);
  std::string many = small_cluster();
  for (int i = 0; i < 200; ++i) many += "key" + std::to_string(i) + " = 1\n";
  tally.try_text(many);

  for (std::size_t kind = 0; kind < error_kinds; ++kind) {
    BOOST_TEST_MESSAGE(to_string(static_cast<ErrorKind>(kind)) << ": " << tally.kinds[kind]);
    BOOST_TEST(tally.kinds[kind] > 0, "no text gave the error " << to_string(static_cast<ErrorKind>(kind)));
  }
  BOOST_TEST_MESSAGE("TOML mutations: " << structured << " structured, " << random << " random; " << tally.accepted << " accepted, "
                                        << tally.refused << " refused, " << tally.branches.size() << " errors by kind and key; at most "
                                        << tally.worst_bytes << " bytes beyond the text");
  BOOST_TEST(structured + random >= mutations);
  BOOST_TEST(tally.accepted >= 300U);
  BOOST_TEST(tally.refused >= 5000U);
  BOOST_TEST(tally.worst_bytes <= extra_bytes_max);
}

BOOST_AUTO_TEST_CASE(large_texts_stay_within_the_bound) {
  Tally tally;
  const auto repeated = [](const std::string& head, const std::string& line, std::size_t bytes) {
    auto text = head;
    while (text.size() + line.size() + 8 < bytes) text += line;
    return text;
  };
  constexpr std::size_t size = 64U << 10;
  tally.try_text(repeated(small_cluster("models = ["), "\"a\",", size) + "]\n");
  tally.try_text(repeated(small_cluster("roles = ["), "1,", size) + "]\n");
  tally.try_text(repeated(small_cluster(), "[[nodes]]\n", size));
  tally.try_text(repeated(small_cluster(), "[[pools]]\nname=\"a[1-1000]\"\n", size));
  std::string models = "version = 1\n";
  for (int i = 0; i < 64; ++i) models += "[models." + std::string(120, 'm') + std::to_string(i) + "]\n";
  tally.try_text(models + "[[pools]]\nname = \"e[1-1024]\"\n");
  for (int i = 0; i < 400; ++i) models += "[models." + std::string(120, 'n') + std::to_string(i) + "]\n";
  tally.try_text(models + "[[pools]]\nname = \"e[1-1024]\"\n");
  BOOST_TEST(tally.accepted == 1U);
  BOOST_TEST(tally.refused == 5U);
  BOOST_TEST_MESSAGE("at most " << tally.worst_bytes << " bytes beyond texts of 64 KiB");
  BOOST_TEST(tally.worst_bytes <= extra_bytes_max);
  // A bound that the count cannot reach would prove nothing.
  BOOST_TEST(tally.worst_bytes >= 1U << 20);
}

}  // namespace spillway::config
