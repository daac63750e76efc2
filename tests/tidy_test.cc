// Lints the tree: the rules of tidy_rules.h, each first tried on small samples that break it, then on every file.
#define BOOST_TEST_MODULE tidy
#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/tidy_rules.h"

using namespace spillway::tidy;
namespace bdata = boost::unit_test::data;
namespace fs = std::filesystem;

namespace {

/// Sources without a test of their own stem, and why.
const std::map<std::string, std::string> test_exceptions = {
    // Shells hold no decision: they are tried together, as whole nodes on the test scheduler over the network in memory.
    {"actors/batcher_actor.cc", "tests/actors/moving_test.cc"},
    {"actors/cache_actor.cc", "tests/actors/moving_test.cc"},
    {"actors/link_actor.cc", "tests/actors/moving_test.cc"},
    {"actors/node_actor.cc", "tests/actors/moving_test.cc"},
    {"actors/node_parts.cc", "tests/actors/moving_test.cc"},
    {"actors/router_actor.cc", "tests/actors/moving_test.cc"},
    {"actors/submit.cc", "tests/actors/moving_test.cc"},
    {"actors/worker_actor.cc", "tests/actors/moving_test.cc"},
    {"sdk/convert.cc", "tests/sdk/client_test.cc: every call goes through it"},
    {"sdk/session.cc", "tests/sdk/client_test.cc: every call goes through it"},
    // These need processes, sockets or threads of their own.
    {"actors/devices.cc", "every test of tests/cluster starts nodes through it"},
    {"actors/node_host.cc", "every test of tests/cluster starts nodes through it"},
    {"app/client_options.cc", "tests/cluster/client_test.cc"},
    {"app/cluster_commands.cc", "tests/cluster/client_test.cc"},
    {"app/complete_command.cc", "tests/cluster/client_test.cc"},
    {"app/demo.cc", "it is what `make demo` runs"},
    {"app/generate_flags.cc", "tests/cluster/client_test.cc"},
    {"app/node_command.cc", "every test of tests/cluster runs it"},
    {"app/signals.cc", "tests/cluster/client_test.cc"},
    {"app/sim_command.cc", "tests/app/sim_workload_command_test.cc"},
    {"sim/cluster_plan.cc", "tests/sim/cluster_test.cc: every cluster is planned by it"},
    {"sim/run_record.cc", "one table of names"},
    {"sim/run_summary.cc", "tests/sim/cluster_test.cc"},
    {"sim/speed_source.cc", "tests/sim/request_source_test.cc"},
    {"sim/step_cost.cc", "tests/sim/cluster_queue_test.cc: its times are those of the book"},
    {"sim/toml_tables.cc", "tests/sim/scenario_test.cc, tests/sim/event_generator_spec_test.cc"},
    {"sched/batcher_jump.cc", "tests/sim/cluster_test.cc: jumps_change_nothing"},
    {"cluster-config/core_limits.cc", "every test of tests/actors and tests/cluster runs with these limits"},
    {"app/sim_inputs.cc", "tests/app/sim_what_if_test.cc"},
    {"app/sim_size_command.cc", "tests/app/sim_what_if_test.cc"},
    {"app/sim_sweep_command.cc", "tests/app/sim_what_if_test.cc"},
    {"app/up_command.cc", "every test of tests/cluster runs it"},
};

/// Headers of kernels that are no operation of a bench, and why.
const std::map<std::string, std::string> kernel_exceptions = {
    {"kernels/thread_pool.h", "shares rows out among threads; measured as part of each operation"},
    {"kernels/weight_type.h", "names and sizes of formats"},
    {"kernels/dequantize.h", "the reference for whole blocks; no step of a model uses it"},
    {"kernels/encode_blocks.h", "done once, by models convert"},
    {"kernels/float16.h", "conversion of single values; measured in the operations that use it"},
    {"kernels/pack.h", "done once while loading"},
    {"kernels/pack_blocks.h", "done once while loading"},
};

const std::vector<SourceFile>& tree() {
  static const std::vector<SourceFile> files = [] {
    std::vector<SourceFile> read;
    const fs::path root = SPILLWAY_SOURCE_DIR;
    for (auto it = fs::recursive_directory_iterator(root); it != fs::recursive_directory_iterator(); ++it) {
      const std::string name = it->path().filename().string();
      if (it->is_directory() && (name == "build" || name.starts_with(".") || name == "__pycache__")) {
        it.disable_recursion_pending();
        continue;
      }
      const std::string extension = it->path().extension().string();
      static const std::set<std::string> text = {".h",  ".cc",   ".txt",  ".cmake", ".md",   ".sh",
                                                 ".py", ".toml", ".json", ".capnp", ".yaml", ".supp"};
      if (!it->is_regular_file() || (!text.contains(extension) && name != "Makefile" && name != "run")) continue;
      std::ifstream in(it->path(), std::ios::binary);
      std::stringstream content;
      content << in.rdbuf();
      read.push_back({fs::relative(it->path(), root).generic_string(), content.str()});
    }
    std::sort(read.begin(), read.end(), [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
    return read;
  }();
  return files;
}

void expect_none(const Violations& violations) {
  for (const Violation& violation : violations) BOOST_ERROR(violation.to_string());
}

void expect_none_in_tree(const std::function<Violations(const SourceFile&)>& rule) {
  for (const SourceFile& file : tree()) expect_none(rule(file));
}

std::string text_of(const std::string& path) {
  for (const SourceFile& file : tree()) {
    if (file.path == path) return file.text;
  }
  return {};
}

std::string lines_of(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

/// A rule tried on one text: the lines it must name, no other.
struct Sample {
  const char* name;
  const char* path;
  std::string text;
  std::vector<int> lines;

  friend std::ostream& operator<<(std::ostream& out, const Sample& sample) { return out << sample.name; }
};

void expect_lines(const Sample& sample, const Violations& violations) {
  std::vector<int> lines;
  lines.reserve(violations.size());
  for (const Violation& violation : violations) lines.push_back(violation.line);
  BOOST_CHECK_EQUAL_COLLECTIONS(lines.begin(), lines.end(), sample.lines.begin(), sample.lines.end());
  for (const Violation& violation : violations) BOOST_TEST(violation.path == sample.path);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(rules_can_fail)

BOOST_AUTO_TEST_CASE(blanking_keeps_lines_and_code) {
  BOOST_TEST(blank_comments_and_strings("a = \"x{\"; // {\nb") == "a =     ;     \nb");
  BOOST_TEST(blank_comments_and_strings("/* {\n} */c") == "    \n    c");
  BOOST_TEST(blank_comments_and_strings("R\"x(\" {)x\" y") == "           y");
  BOOST_TEST(blank_comments_and_strings("1'000'000 '{' '\\'' z") == "1'000'000          z");
}

const Sample include_samples[] = {
    {"sched includes core", "sched/a.cc", "#include \"core/ids.h\"\n#include \"sched/a.h\"\n#include <vector>\n", {}},
    {"sched includes net", "sched/a.cc", "#include <vector>\n#include \"net/loop.h\"\n", {2}},
    {"core includes sched", "core/a.h", "#include \"sched/a.h\"\n", {1}},
    {"an include in a comment is none", "sched/a.cc", "// #include \"net/loop.h\"\n/*\n#include \"net/loop.h\"\n*/\n", {}},
    {"CAF outside actors", "net/a.cc", "#include <caf/all.hpp>\n", {1}},
    {"CAF in actors", "actors/a.cc", "#include <caf/all.hpp>\n", {}},
    {"ZeroMQ in actors", "actors/a.cc", "#include <zmq.hpp>\n", {1}},
    {"sodium in a header", "core/a.h", "#include <sodium.h>\n", {1}},
    {"sodium in a source", "core/a.cc", "#include <sodium.h>\n", {}},
    {"intrinsics in model", "model/a.cc", "#include <immintrin.h>\n", {1}},
    {"a system header in sched", "sched/a.cc", "#include <unistd.h>\n", {1}},
    {"gateway includes actors", "gateway/a.cc", "#include \"actors/router_actor.h\"\n", {1}},
    {"app includes anything", "app/a.cc", "#include \"actors/router_actor.h\"\n#include <CLI/CLI.hpp>\n", {}},
};
BOOST_DATA_TEST_CASE(include_edges, bdata::make(include_samples), sample) {
  expect_lines(sample, check_includes({sample.path, sample.text}));
}

const Sample determinism_samples[] = {
    {"a clock", "sched/a.cc", "int x;\nauto t = Clock::now();\n", {2}},
    {"a clock in a comment", "sched/a.cc", "// Clock::now()\n", {}},
    {"a clock in an actor", "actors/a.cc", "auto t = Clock::now();\n", {}},
    {"threads", "sim/a.h", "#include <thread>\n#include <mutex>\nstd::mutex m;\n", {3, 1, 2}},
    {"random device", "core/a.cc", "std::random_device d;\n", {1}},
    {"libm in sched", "sched/a.cc", "#include <cmath>\n", {1}},
    {"libm in sim", "sim/a.cc", "#include <cmath>\n", {}},
    {"rand", "sched/a.cc", "int x = rand();\nint y = operand(1);\n", {1}},
};
BOOST_DATA_TEST_CASE(determinism, bdata::make(determinism_samples), sample) {
  expect_lines(sample, check_determinism({sample.path, sample.text}));
}

const Sample unordered_samples[] = {
    {"a loop over a map", "sched/a.cc", "std::unordered_map<int, std::vector<int>> by_id_;\nfor (auto& [k, v] : by_id_) {\n", {2}},
    {"begin of a set", "sched/a.cc", "std::unordered_set<int> seen;\nauto first = *seen.begin();\n", {2}},
    {"a member of another", "sched/a.cc", "std::unordered_set<int> seen;\nfor (int x : state.seen) {\n", {2}},
    {"find and end", "sched/a.cc", "std::unordered_set<int> seen;\nif (seen.find(1) != seen.end()) {\n", {}},
    {"an ordered map", "sched/a.cc", "std::map<int, int> by_id_;\nfor (auto& [k, v] : by_id_) {\n", {}},
    {"outside the cores", "net/a.cc", "std::unordered_set<int> seen;\nfor (int x : seen) {\n", {}},
};
BOOST_DATA_TEST_CASE(unordered_iteration, bdata::make(unordered_samples), sample) {
  expect_lines(sample, check_unordered_iteration({sample.path, sample.text}, sample.text));
}

BOOST_AUTO_TEST_CASE(file_length) {
  BOOST_TEST(check_file_length({"core/a.cc", lines_of(600, "int x;")}).empty());
  BOOST_TEST(check_file_length({"core/a.cc", lines_of(601, "int x;")}).size() == 1U);
}

const std::string body_69 = lines_of(68, "  x();");  // with signature and closing brace: 70 lines
const Sample function_samples[] = {
    {"seventy lines", "core/a.cc", "void f() {\n" + body_69 + "}\n", {}},
    {"seventy-one lines", "core/a.cc", "void f() {\n  y();\n" + body_69 + "}\n", {1}},
    {"the signature counts", "core/a.cc", "int z;\n\nvoid f(int a,\n       int b) {\n" + body_69 + "}\n", {3}},
    {"inside a namespace", "core/a.cc", "namespace a {\nstruct S {\n  void f() {\n  y();\n" + body_69 + "}\n};\n}\n", {3}},
    {"a template", "core/a.h", "template <class T>\nvoid f() {\n" + body_69 + "}\n", {1}},
    {"a constructor with a list", "core/a.cc", "A::A() : b_{1}, c_{2} {\n y();\n" + body_69 + "}\n", {1}},
    {"a constructor with round list", "core/a.cc", "A::A() : b_(1), c_{f()} {\n y();\n" + body_69 + "}\n", {1}},
    {"a test case", "core/a.cc", "BOOST_AUTO_TEST_SUITE(s)\n\nBOOST_AUTO_TEST_CASE(f) {\n y();\n" + body_69 + "}\n", {3}},
    {"a const method", "core/a.cc", "int A::f() const {\n y();\n" + body_69 + "}\n", {1}},
    {"a long class of short methods", "core/a.h", "class A {\n" + lines_of(80, "  int f() { return 1; }") + "};\n", {}},
    {"a long table", "core/a.cc", "const int table[] = {\n" + lines_of(80, "  1,") + "};\n", {}},
    {"a long enum", "core/a.h", "enum class E : int {\n" + lines_of(80, "  a,") + "};\n", {}},
    {"after a table", "core/a.cc", "const T t = {{1}, {2}};\nvoid f() {\n y();\n" + body_69 + "}\n", {2}},
    {"braces in strings", "core/a.cc", "void g() { s = \"{{{\"; }\nvoid f() {\n y();\n" + body_69 + "}\n", {2}},
    {"a macro with a brace", "core/a.cc", "#define OPEN \\\n  {\nvoid f() {\n y();\n" + body_69 + "}\n", {3}},
};
BOOST_DATA_TEST_CASE(function_length, bdata::make(function_samples), sample) {
  expect_lines(sample, check_function_length({sample.path, sample.text}));
}

const Sample shape_samples[] = {
    {"a good header", "core/a.h", "#pragma once\nnamespace spillway::core {\n}\n", {}},
    {"no pragma", "core/a.h", "namespace spillway::core {\n}\n", {1}},
    {"using in a header", "core/a.h", "#pragma once\nusing namespace std;\nnamespace spillway::core {}\n", {2}},
    {"the config folder", "cluster-config/a.cc", "namespace spillway::config {}\n", {}},
    {"another namespace", "sched/a.cc", "namespace spillway::core {}\n", {0}},
};
BOOST_DATA_TEST_CASE(shape, bdata::make(shape_samples), sample) {
  expect_lines(sample, check_shape({sample.path, sample.text}));
}

BOOST_AUTO_TEST_CASE(machine_paths) {
  BOOST_TEST(check_machine_paths({"README.md", std::string("a\nsee /hom") + "e/jane/x\n"}).size() == 1U);
  BOOST_TEST(check_machine_paths({"README.md", "see /usr/include and homework/x\n"}).empty());
}

BOOST_AUTO_TEST_CASE(tests_exist) {
  const std::vector<SourceFile> files = {{"core/a.cc", ""},
                                         {"core/a_part_one.cc", ""},
                                         {"tests/core/a_test.cc", ""},
                                         {"kernels/gemm_avx2.cc", ""},
                                         {"core/b.cc", ""},
                                         {"core/ab.cc", ""},
                                         {"app/main.cc", ""},
                                         {"sdk/examples/x.cc", ""},
                                         {"sched/router_moves.cc", ""},
                                         {"tests/sched/router_core_test.cc", ""}};
  const Violations missing = check_tests_exist(files, {});
  BOOST_REQUIRE(missing.size() == 3U);
  BOOST_TEST(missing[0].path == "kernels/gemm_avx2.cc");
  BOOST_TEST(missing[1].path == "core/b.cc");
  BOOST_TEST(missing[2].path == "core/ab.cc");
  std::map<std::string, std::string> exceptions = {{"core/ab.cc", "why"}, {"core/b.cc", "why"}, {"kernels/gemm_avx2.cc", "why"}};
  BOOST_TEST(check_tests_exist(files, exceptions).empty());
  exceptions["core/gone.cc"] = "stale";
  BOOST_TEST(check_tests_exist(files, exceptions).size() == 1U);
}

BOOST_AUTO_TEST_CASE(kernel_stems) {
  std::vector<SourceFile> files = {{"kernels/norm.h", ""}, {"kernels/norm_avx2.cc", ""}, {"kernels/types.h", ""}};
  BOOST_TEST(check_kernel_stems(files, {}).size() == 2U);
  files.push_back({"tests/kernels/norm_test.cc", "#include \"kernels/norm.h\"\n"});
  BOOST_TEST(check_kernel_stems(files, {}).size() == 1U);
  files.push_back({"bench/norm_bench.cc", "#include \"kernels/norm.h\"\n"});
  BOOST_TEST(check_kernel_stems(files, {}).empty());
}

BOOST_AUTO_TEST_CASE(registered) {
  std::vector<SourceFile> files = {{"core/CMakeLists.txt", "spillway_library(core SOURCES a.cc)"}, {"core/a.cc", ""}, {"core/aa.cc", ""}};
  const Violations dead = check_registered(files);
  BOOST_REQUIRE(dead.size() == 1U);
  BOOST_TEST(dead[0].path == "core/aa.cc");
}

BOOST_AUTO_TEST_CASE(readmes) {
  BOOST_TEST(check_readmes({{"core/README.md", lines_of(40, "x")}}).size() == 13U);
  BOOST_TEST(check_readmes({{"core/README.md", lines_of(41, "x")}}).size() == 14U);
}

BOOST_AUTO_TEST_CASE(roads) {
  const SourceFile source = {"core/a.cc", "void walk() {}"};
  BOOST_TEST(check_roads({{"ARCHITECTURE.md", "1. `core/a.cc` `walk`,\n   `core/a.cc`\n   `walk`\n2. `stride`\n"}, source}).empty());
  BOOST_TEST(check_roads({{"ARCHITECTURE.md", "1. `core/a.cc` `stride`\n"}, source}).size() == 1U);
  BOOST_TEST(check_roads({{"ARCHITECTURE.md", "1. `core/b.cc` `walk`\n"}, source}).size() == 1U);
  BOOST_TEST(check_roads({source}).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tree_is_tidy)

BOOST_AUTO_TEST_CASE(something_was_read) {
  BOOST_TEST_MESSAGE("tidy: " << tree().size() << " files read");
  BOOST_TEST(tree().size() > 40U);
  BOOST_TEST(!text_of("core/ids.h").empty());
}

BOOST_AUTO_TEST_CASE(include_edges) {
  expect_none_in_tree(check_includes);
}
BOOST_AUTO_TEST_CASE(determinism) {
  expect_none_in_tree(check_determinism);
}
BOOST_AUTO_TEST_CASE(unordered_iteration) {
  expect_none_in_tree([](const SourceFile& file) {
    const std::string header = file.path.ends_with(".cc") ? text_of(file.path.substr(0, file.path.size() - 3) + ".h") : "";
    return check_unordered_iteration(file, header + file.text);
  });
}
BOOST_AUTO_TEST_CASE(file_length) {
  expect_none_in_tree(check_file_length);
}
BOOST_AUTO_TEST_CASE(function_length) {
  expect_none_in_tree(check_function_length);
}
BOOST_AUTO_TEST_CASE(shape) {
  expect_none_in_tree(check_shape);
}
BOOST_AUTO_TEST_CASE(machine_paths) {
  expect_none_in_tree(check_machine_paths);
}
BOOST_AUTO_TEST_CASE(tests_exist) {
  expect_none(check_tests_exist(tree(), test_exceptions));
}
BOOST_AUTO_TEST_CASE(kernel_stems) {
  expect_none(check_kernel_stems(tree(), kernel_exceptions));
}
BOOST_AUTO_TEST_CASE(registered) {
  expect_none(check_registered(tree()));
}
BOOST_AUTO_TEST_CASE(readmes) {
  expect_none(check_readmes(tree()));
}
BOOST_AUTO_TEST_CASE(roads) {
  expect_none(check_roads(tree()));
}

BOOST_AUTO_TEST_SUITE_END()
