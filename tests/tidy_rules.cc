#include "tests/tidy_rules.h"

#include <algorithm>
#include <array>
#include <regex>
#include <sstream>

namespace spillway::tidy {

namespace {

const std::set<std::string> source_folders = {"core", "cluster-config", "sched",   "decisions", "kernels", "model",
                                              "net",  "actors",         "gateway", "sdk",       "sim",     "app"};

/// Who may include whom: the edges of the architecture. tests, bench and app may include everything.
const std::map<std::string, std::set<std::string>> folder_edges = {
    {"core", {}},
    {"cluster-config", {"core", "sched"}},
    {"sched", {"core"}},
    {"decisions", {"core", "sched"}},
    {"kernels", {"core"}},
    {"model", {"core", "kernels"}},
    {"net", {"core"}},
    {"actors", {"core", "sched", "decisions", "model", "net", "cluster-config"}},
    {"gateway", {"core", "model"}},
    {"sdk", {"core", "net"}},
    {"sim", {"core", "sched", "cluster-config"}},
};

struct Library {
  const char* prefix;
  std::set<std::string> folders;
  bool only_in_sources;  ///< never in a header, so that it does not spread
};

/// Which folder may use which library. app, tests and bench may use any.
const std::vector<Library>& libraries() {
  static const std::vector<Library> table = {
      {"caf/", {"actors"}, false},
      {"zmq", {"net"}, false},
      {"capnp/", {"net"}, false},
      {"kj/", {"net"}, false},
      {"toml++/", {"cluster-config"}, false},
      {"sodium", {"core"}, true},
      {"xxhash", {"core"}, true},
      {"spdlog/", {"core"}, true},
      {"boost/beast", {"gateway"}, false},
      {"boost/asio", {"gateway"}, false},
      {"boost/json", {"gateway", "model", "sim"}, true},
      {"boost/", {}, false},
      {"utf8proc", {"model"}, true},
      {"immintrin", {"kernels"}, false},
      {"CLI/", {}, false},
  };
  return table;
}

std::string folder_of(const std::string& path) {
  return path.substr(0, path.find('/'));
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.ends_with(end);
}

/// Programs of users that stand beside the code they show.
bool is_example(const std::string& path) {
  return path.find("/examples/") != std::string::npos;
}

bool is_cpp(const std::string& path) {
  return ends_with(path, ".h") || ends_with(path, ".cc");
}

std::string stem_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return name.substr(0, name.rfind('.'));
}

std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  std::istringstream stream{std::string(text)};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

int line_at(std::string_view text, std::size_t position) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(position), '\n'));
}

struct Include {
  int line;
  bool quoted;
  std::string target;
};

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex pattern(R"(^\s*#\s*include\s*(["<])([^">]+)[">])");
  std::vector<Include> found;
  const std::string code = blank_comments_and_strings(file.text);
  const auto raw = split_lines(file.text);
  const auto bare = split_lines(code);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    std::smatch match;
    if (bare[i].find('#') == std::string::npos) continue;  // an include inside a comment
    if (std::regex_search(raw[i], match, pattern)) found.push_back({static_cast<int>(i) + 1, match[1] == "\"", match[2]});
  }
  return found;
}

bool is_deterministic(const std::string& folder) {
  return folder == "core" || folder == "sched" || folder == "sim";
}

/// Length of the literal or comment that starts at `at`, 0 if none does.
std::size_t quiet_length(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  const auto until = [&](std::string_view end, std::size_t from) {
    const std::size_t found = rest.find(end, from);
    return found == std::string_view::npos ? rest.size() : found + end.size();
  };
  if (rest.starts_with("//")) return std::min(rest.find('\n'), rest.size());
  if (rest.starts_with("/*")) return until("*/", 2);
  if (rest.starts_with("R\"")) {
    const std::size_t open = rest.find('(');
    if (open == std::string_view::npos || open > 18) return 0;
    return until(")" + std::string(rest.substr(2, open - 2)) + "\"", open);
  }
  const bool digit_separator = rest.front() == '\'' && at > 0 && std::isxdigit(static_cast<unsigned char>(text[at - 1])) != 0 &&
                               rest.size() > 1 && std::isxdigit(static_cast<unsigned char>(rest[1])) != 0 &&
                               (rest.size() < 3 || rest[2] != '\'');
  if ((rest.front() != '"' && rest.front() != '\'') || digit_separator) return 0;
  for (std::size_t i = 1; i < rest.size(); ++i) {
    if (rest[i] == '\\') ++i;
    else if (rest[i] == rest.front()) return i + 1;
    else if (rest[i] == '\n') return i;
  }
  return rest.size();
}

}  // namespace

std::string Violation::to_string() const {
  return path + ":" + std::to_string(line) + ": " + what;
}

std::string blank_comments_and_strings(std::string_view text) {
  std::string code(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = quiet_length(text, at);
    for (std::size_t i = at; i < at + length; ++i) {
      if (code[i] != '\n') code[i] = ' ';
    }
    at += std::max<std::size_t>(length, 1);
  }
  return code;
}

Violations check_includes(const SourceFile& file) {
  Violations found;
  const std::string folder = folder_of(file.path);
  const auto edges = folder_edges.find(folder);
  if (!is_cpp(file.path) || edges == folder_edges.end()) return found;
  for (const Include& include : includes_of(file)) {
    if (include.quoted) {
      const std::string target = folder_of(include.target);
      if (target == folder || edges->second.contains(target) || ends_with(include.target, ".capnp.h")) continue;
      // Public headers are installed without the tree: they name their siblings.
      if (file.path.starts_with("sdk/include/") && include.target.find('/') == std::string::npos) continue;
      found.push_back({file.path, include.line, folder + " may not include \"" + include.target + "\""});
      continue;
    }
    const auto library =
        std::find_if(libraries().begin(), libraries().end(), [&](const Library& l) { return include.target.starts_with(l.prefix); });
    if (library == libraries().end()) {
      if (folder == "sched" && include.target.find('.') != std::string::npos)
        found.push_back({file.path, include.line, "sched uses the standard library alone, not <" + include.target + ">"});
      continue;
    }
    if (!library->folders.contains(folder)) found.push_back({file.path, include.line, folder + " may not use <" + include.target + ">"});
    else if (library->only_in_sources && ends_with(file.path, ".h"))
      found.push_back({file.path, include.line, "<" + include.target + "> belongs in a .cc, not in a header"});
  }
  return found;
}

Violations check_determinism(const SourceFile& file) {
  Violations found;
  const std::string folder = folder_of(file.path);
  if (!is_cpp(file.path) || !is_deterministic(folder)) return found;
  static const std::array<std::string_view, 5> words = {"::now(", "random_device", "std::thread", "std::mutex", "rand("};
  const auto lines = split_lines(blank_comments_and_strings(file.text));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const auto word : words) {
      const std::size_t at = lines[i].find(word);
      const bool inside_a_word = word == "rand(" && at != std::string::npos && at > 0 &&
                                 (std::isalnum(static_cast<unsigned char>(lines[i][at - 1])) != 0 || lines[i][at - 1] == '_');
      if (at != std::string::npos && !inside_a_word)
        found.push_back({file.path, static_cast<int>(i) + 1, folder + " is deterministic: no " + std::string(word)});
    }
  }
  static const std::set<std::string> nowhere = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "random"};
  static const std::set<std::string> not_in_sched = {"cmath",   "math.h", "cstdio", "iostream",  "fstream",
                                                     "sstream", "atomic", "ctime",  "filesystem"};
  for (const Include& include : includes_of(file)) {
    if (nowhere.contains(include.target) || (folder == "sched" && not_in_sched.contains(include.target)))
      found.push_back({file.path, include.line, folder + " is deterministic: no <" + include.target + ">"});
  }
  return found;
}

Violations check_unordered_iteration(const SourceFile& file, std::string_view declarations) {
  Violations found;
  if (!is_cpp(file.path) || !is_deterministic(folder_of(file.path))) return found;
  const std::string declared = blank_comments_and_strings(declarations);
  static const std::regex declaration(R"(unordered_(?:multi)?(?:map|set)\s*<)");
  std::set<std::string> names;
  for (std::sregex_iterator it(declared.begin(), declared.end(), declaration), end; it != end; ++it) {
    std::size_t at = static_cast<std::size_t>(it->position() + it->length());
    for (int depth = 1; at < declared.size() && depth > 0; ++at) depth += declared[at] == '<' ? 1 : declared[at] == '>' ? -1 : 0;
    std::smatch name;
    const std::string rest = declared.substr(at, 80);
    if (std::regex_search(rest, name, std::regex(R"(^[&\s]*([A-Za-z_]\w*))"))) names.insert(name[1]);
  }
  const auto lines = split_lines(blank_comments_and_strings(file.text));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    for (const std::string& name : names) {
      const std::regex loop(R"((for\s*\([^;]*:\s*(?:[\w.>-]*[.>])?)" + name + R"(\s*\))|(\b)" + name + R"(\.c?begin\(\)))");
      if (std::regex_search(lines[i], loop))
        found.push_back({file.path, static_cast<int>(i) + 1, "the order of the unordered container " + name + " decides here"});
    }
  }
  return found;
}

Violations check_file_length(const SourceFile& file) {
  const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
  if (!is_cpp(file.path) || lines <= file_lines_max) return {};
  return {{file.path, static_cast<int>(lines), "file of " + std::to_string(lines) + " lines; at most " + std::to_string(file_lines_max)}};
}

namespace {

enum class Scope { outer, function, init, other };

/// What a brace opens, from the text since the last `;`, `{` or `}` at this level.
Scope scope_of(std::string header) {
  static const std::regex template_head(R"(^\s*template\s*<)");
  std::smatch match;
  while (std::regex_search(header, match, template_head)) {
    std::size_t at = static_cast<std::size_t>(match.length());
    for (int depth = 1; at < header.size() && depth > 0; ++at) depth += header[at] == '<' ? 1 : header[at] == '>' ? -1 : 0;
    header = header.substr(at);
  }
  static const std::regex outer(
      R"(^\s*(?:\w+\([^)]*\)\s*)*(?:inline\s+|typedef\s+|static\s+|export\s+)*(?:namespace|struct|class|union|enum|extern)\b)");
  static const std::regex returns_a_class(R"(^\s*(?:struct|class|enum)\s+\w+\s+[\w:]+\s*\()");
  if (std::regex_search(header, outer) && !std::regex_search(header, returns_a_class)) return Scope::outer;
  if (header.find('(') == std::string::npos || std::regex_search(header, std::regex(R"(=\s*(?:[\w:<>, ]+\s*)?$)"))) return Scope::other;
  // `Foo::Foo() : a_{1}, b_{2} {`: the braces of an initialiser list are not the body.
  static const std::regex list(R"(\)\s*(?:noexcept\s*)?:\s*[^:])");
  static const std::regex word(R"((\w+|>)\s*$)");
  if (std::regex_search(header, list) && std::regex_search(header, match, word)) {
    static const std::set<std::string> specifiers = {"const", "noexcept", "override", "final", "mutable", "try"};
    if (!specifiers.contains(match[1])) return Scope::init;
  }
  return Scope::function;
}

/// First line of the signature: the header's last run of lines without an empty one.
std::size_t signature_start(const std::string& code, std::size_t header_start, std::size_t brace) {
  std::size_t start = header_start;
  while (start < brace && std::isspace(static_cast<unsigned char>(code[start])) != 0) ++start;
  for (std::size_t at = start; at < brace; ++at) {
    if (code[at] != '\n') continue;
    const std::size_t next = code.find_first_not_of(" \t", at + 1);
    if (next != std::string::npos && next < brace && code[next] == '\n') start = std::min(brace, code.find_first_not_of(" \t\n", next));
  }
  return start;
}

std::size_t matching_brace(const std::string& code, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < code.size(); ++at) {
    if (code[at] == '{') ++depth;
    if (code[at] == '}' && --depth == 0) return at;
  }
  return code.size() - 1;
}

/// Preprocessor lines say nothing about scopes and may hold half a brace.
std::string without_preprocessor(std::string code) {
  bool directive = false;
  bool line_start = true;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (line_start && code[i] == '#') directive = true;
    if (code[i] == '\n') {
      directive = directive && i > 0 && code[i - 1] == '\\';
      line_start = true;
      continue;
    }
    if (std::isspace(static_cast<unsigned char>(code[i])) == 0) line_start = false;
    if (directive && code[i] != '\\') code[i] = ' ';
  }
  return code;
}

}  // namespace

Violations check_function_length(const SourceFile& file) {
  Violations found;
  if (!is_cpp(file.path)) return found;
  const std::string code = without_preprocessor(blank_comments_and_strings(file.text));
  std::size_t header_start = 0;
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (code[at] == ';' || code[at] == '}') header_start = at + 1;
    if (code[at] != '{') continue;
    const Scope scope = scope_of(code.substr(header_start, at - header_start));
    if (scope == Scope::outer) {
      header_start = at + 1;
      continue;
    }
    const std::size_t close = matching_brace(code, at);
    if (scope == Scope::function) {
      const int first = line_at(code, signature_start(code, header_start, at));
      const int lines = line_at(code, close) - first + 1;
      if (lines > function_lines_max)
        found.push_back(
            {file.path, first, "function of " + std::to_string(lines) + " lines; at most " + std::to_string(function_lines_max)});
    }
    at = close;
    if (scope != Scope::init) header_start = close + 1;
  }
  return found;
}

Violations check_shape(const SourceFile& file) {
  Violations found;
  const std::string folder = folder_of(file.path);
  if (!is_cpp(file.path)) return found;
  const std::string code = blank_comments_and_strings(file.text);
  if (ends_with(file.path, ".h")) {
    if (code.find("#pragma once") == std::string::npos) found.push_back({file.path, 1, "header without #pragma once"});
    const std::size_t at = code.find("using namespace ");
    // Literals of a duration are the one exception: core/time.h gives them to all.
    if (at != std::string::npos && code.compare(at, 28, "using namespace std::chrono_") != 0)
      found.push_back({file.path, line_at(code, at), "using namespace in a header"});
  }
  if (!source_folders.contains(folder) || folder == "app" || is_example(file.path) || code.find('{') == std::string::npos) return found;
  const std::string wanted = "spillway::" + (folder == "cluster-config" ? "config" : folder);
  if (code.find("namespace " + wanted) == std::string::npos && code.find("namespace spillway ") == std::string::npos)
    found.push_back({file.path, 0, "code of this folder lives in namespace " + wanted});
  return found;
}

Violations check_machine_paths(const SourceFile& file) {
  // Written in two pieces, or this file would name itself.
  static const std::regex path(std::string("/(wor") + "k|hom" + "e|User" + R"(s|far)" + R"(m)/[A-Za-z])");
  Violations found;
  const auto lines = split_lines(file.text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (std::regex_search(lines[i], path)) found.push_back({file.path, static_cast<int>(i) + 1, "a path of somebody's machine"});
  }
  return found;
}

namespace {

std::string without_last_word(const std::string& stem) {
  const std::size_t underscore = stem.rfind('_');
  return underscore == std::string::npos ? "" : stem.substr(0, underscore);
}

/// The operation whose part a source of kernels is: `matmul_avx2` -> `matmul`.
std::string operation_of(const std::string& stem) {
  static const std::set<std::string> parts = {"avx2", "avx512", "scalar"};
  const std::size_t underscore = stem.rfind('_');
  return underscore != std::string::npos && parts.contains(stem.substr(underscore + 1)) ? without_last_word(stem) : stem;
}

/// Exceptions for files that are gone.
Violations stale(const std::map<std::string, std::string>& exceptions, const std::vector<SourceFile>& tree) {
  Violations found;
  for (const auto& exception : exceptions) {
    const std::string& path = exception.first;
    const bool there = std::any_of(tree.begin(), tree.end(), [&](const SourceFile& file) { return file.path == path; });
    if (!there) found.push_back({path, 0, "does not exist, but has an exception (" + exception.second + ")"});
  }
  return found;
}

}  // namespace

Violations check_tests_exist(const std::vector<SourceFile>& tree, const std::map<std::string, std::string>& exceptions) {
  std::set<std::string> paths;
  for (const SourceFile& file : tree) paths.insert(file.path);
  Violations found;
  for (const SourceFile& file : tree) {
    const std::string folder = folder_of(file.path);
    if (!source_folders.contains(folder) || !ends_with(file.path, ".cc") || is_example(file.path) || ends_with(file.path, "/main.cc"))
      continue;
    const auto test_of = [&](const std::string& stem) { return "tests/" + folder + "/" + stem + "_test.cc"; };
    const std::string test = test_of(stem_of(file.path));
    // `gemm_avx2` is tried by gemm_test, `router_moves` by router_core_test.
    std::string tried_by = stem_of(file.path);
    while (!tried_by.empty() && !paths.contains(test_of(tried_by)) && !paths.contains(test_of(tried_by + "_core"))) {
      tried_by = without_last_word(tried_by);
    }
    if (!tried_by.empty()) continue;
    if (!exceptions.contains(file.path)) found.push_back({file.path, 0, "has no test: want " + test});
  }
  const Violations gone = stale(exceptions, tree);
  found.insert(found.end(), gone.begin(), gone.end());
  return found;
}

Violations check_kernel_stems(const std::vector<SourceFile>& tree, const std::map<std::string, std::string>& exceptions) {
  std::string tests;
  std::string benches;
  std::set<std::string> sources;
  for (const SourceFile& file : tree) {
    if (!is_cpp(file.path)) continue;
    if (folder_of(file.path) == "bench") benches += file.text;
    if (file.path.starts_with("tests/kernels/")) tests += file.text;
    if (folder_of(file.path) == "kernels" && ends_with(file.path, ".cc")) sources.insert(operation_of(stem_of(file.path)));
  }
  Violations found;
  for (const SourceFile& file : tree) {
    const std::string stem = stem_of(file.path);
    if (folder_of(file.path) != "kernels" || !ends_with(file.path, ".h") || !sources.contains(stem)) continue;
    const std::string include = "\"kernels/" + stem + ".h\"";
    const bool tested = tests.find(include) != std::string::npos;
    const bool measured = benches.find(include) != std::string::npos;
    if (tested && measured) continue;
    if (exceptions.contains(file.path)) continue;
    if (!tested) found.push_back({file.path, 0, "no test in tests/kernels includes this operation"});
    if (!measured) found.push_back({file.path, 0, "no bench includes this operation"});
  }
  const Violations gone = stale(exceptions, tree);
  found.insert(found.end(), gone.begin(), gone.end());
  return found;
}

Violations check_registered(const std::vector<SourceFile>& tree) {
  std::map<std::string, std::string> lists;
  for (const SourceFile& file : tree) {
    if (file.path.ends_with("CMakeLists.txt")) lists[file.path] = file.text;
  }
  Violations found;
  for (const SourceFile& file : tree) {
    if (!ends_with(file.path, ".cc")) continue;
    // The list may stand in the folder or in one above it.
    bool listed = false;
    for (std::string folder = file.path.substr(0, file.path.rfind('/')); !listed && !folder.empty();) {
      const auto list = lists.find(folder + "/CMakeLists.txt");
      const std::string name = file.path.substr(folder.size() + 1);
      const std::string stem = name.substr(0, name.size() - 3);
      listed = list != lists.end() && std::regex_search(list->second, std::regex("(^|[\\s(\"/])" + stem + "(\\.cc)?(?=[\\s)\";]|$)"));
      const std::size_t slash = folder.rfind('/');
      folder = slash == std::string::npos ? "" : folder.substr(0, slash);
    }
    if (!listed) found.push_back({file.path, 0, "stands in no CMakeLists.txt: nobody builds it"});
  }
  return found;
}

Violations check_readmes(const std::vector<SourceFile>& tree) {
  std::set<std::string> wanted = source_folders;
  wanted.insert({"bench", "tests"});
  Violations found;
  for (const SourceFile& file : tree) {
    if (!ends_with(file.path, "/README.md")) continue;
    if (!wanted.contains(file.path.substr(0, file.path.size() - 10))) continue;
    wanted.erase(folder_of(file.path));
    const auto lines = std::count(file.text.begin(), file.text.end(), '\n');
    if (lines > readme_lines_max)
      found.push_back({file.path, readme_lines_max + 1, std::to_string(lines) + " lines; at most " + std::to_string(readme_lines_max)});
  }
  for (const std::string& folder : wanted) found.push_back({folder + "/README.md", 0, "this folder has no README.md"});
  return found;
}

Violations check_roads(const std::vector<SourceFile>& tree) {
  std::map<std::string, const SourceFile*> files;
  for (const SourceFile& file : tree) files[file.path] = &file;
  const auto page = files.find("ARCHITECTURE.md");
  if (page == files.end()) return {{"ARCHITECTURE.md", 0, "is not there"}};
  static const std::regex quoted(R"(`([^`\n]+)`)");
  static const std::regex path(R"([a-z-]+/[a-z_/]+\.(h|cc|md|toml|capnp))");
  static const std::regex name(R"([A-Za-z_]\w+)");
  Violations found;
  const SourceFile* current = nullptr;
  const auto lines = split_lines(page->second->text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    static const std::regex item(R"(^\s*(\d+\.|#|\||$))");
    if (std::regex_search(lines[i], item)) current = nullptr;
    for (std::sregex_iterator it(lines[i].begin(), lines[i].end(), quoted), end; it != end; ++it) {
      const std::string word = (*it)[1];
      const int line = static_cast<int>(i) + 1;
      if (std::regex_match(word, path)) {
        const auto file = files.find(word);
        current = file == files.end() ? nullptr : file->second;
        if (current == nullptr) found.push_back({"ARCHITECTURE.md", line, word + " does not exist"});
      } else if (current != nullptr && std::regex_match(word, name) &&
                 !std::regex_search(current->text, std::regex("\\b" + word + "\\b"))) {
        found.push_back({"ARCHITECTURE.md", line, current->path + " holds no " + word});
      }
    }
  }
  return found;
}

}  // namespace spillway::tidy
