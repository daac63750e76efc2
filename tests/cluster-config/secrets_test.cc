#include "cluster-config/secrets.h"

#include <sys/stat.h>
#include <zmq.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "tests/cluster-config/error_cases.h"

namespace spillway::config {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    char name[] = "/tmp/spillway-keys-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
};

KeyPair fresh_keys() {
  char public_key[41] = {};
  char secret_key[41] = {};
  BOOST_REQUIRE(zmq_curve_keypair(public_key, secret_key) == 0);
  return {public_key, secret_key};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(secrets)

BOOST_AUTO_TEST_CASE(curve_keys_are_forty_characters_that_decode) {
  for (int i = 0; i < 100; ++i) BOOST_TEST(is_curve_key(fresh_keys().public_key));
  BOOST_TEST(is_curve_key(some_key(7)));
  BOOST_TEST(!is_curve_key(""));
  BOOST_TEST(!is_curve_key(some_key(7) + "0"));
  BOOST_TEST(!is_curve_key(std::string(39, '0') + "\""));
  BOOST_TEST(!is_curve_key(std::string(40, '#')));  // five of the last letter are more than 32 bits
}

BOOST_AUTO_TEST_CASE(a_key_file_is_private_read_back_and_never_overwritten) {
  const Folder folder;
  const auto file = folder.path / "keys/a.key";
  const auto keys = fresh_keys();
  BOOST_REQUIRE(write_key_file(file, keys).has_value());
  struct stat status {};
  BOOST_REQUIRE(::stat(file.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777U) == 0600U);
  const auto read = read_key_file(file);
  BOOST_REQUIRE(read.has_value());
  BOOST_TEST(read->public_key == keys.public_key);
  BOOST_TEST(read->secret_key == keys.secret_key);
  const auto again = write_key_file(file, fresh_keys());
  BOOST_REQUIRE(!again);
  BOOST_TEST((again.error().code == core::Errc::already_exists));
  BOOST_TEST(read_key_file(file)->public_key == keys.public_key);

  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  const auto open = read_key_file(file);
  BOOST_REQUIRE(!open);
  BOOST_TEST((open.error().code == core::Errc::unauthorized));
  BOOST_TEST((open.error().message.find("chmod 600") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(what_is_no_key_file_is_refused) {
  const Folder folder;
  const auto file = folder.path / "x";
  const auto absent = read_key_file(file);
  BOOST_REQUIRE(!absent);
  BOOST_TEST((absent.error().code == core::Errc::io));
  for (const std::string text : {"", "public = \"a\"\nsecret = \"b\"\n", "public = 3"}) {
    fs::remove(file);
    std::ofstream{file} << text;
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    const auto keys = read_key_file(file);
    BOOST_REQUIRE(!keys);
    BOOST_TEST((keys.error().code == core::Errc::bad_config));
  }
}

BOOST_AUTO_TEST_CASE(a_node_takes_the_key_that_the_cluster_knows) {
  const Folder folder;
  Node node;
  node.name = "a";
  node.key_file = folder.path / "a.key";
  const auto keys = fresh_keys();
  BOOST_REQUIRE(write_key_file(node.key_file, keys).has_value());
  node.public_key = keys.public_key;
  BOOST_TEST(node_keys(node).has_value());
  node.public_key = some_key(1);
  const auto wrong = node_keys(node);
  BOOST_REQUIRE(!wrong);
  BOOST_TEST((wrong.error().message.find(keys.public_key) != std::string::npos));
}

BOOST_AUTO_TEST_CASE(secrets_come_from_text_file_or_the_name_of_a_loopback_cluster) {
  const Folder folder;
  Cluster a;
  a.name = "a";
  Cluster b;
  b.name = "b";
  BOOST_TEST((cluster_secret(a).value() == cluster_secret(a).value()));
  BOOST_TEST((cluster_secret(a).value() != cluster_secret(b).value()));

  core::TenantSecret secret{};
  secret[0] = std::byte{0xAB};
  secret[31] = std::byte{0x0C};
  a.security.secret_file = folder.path / "secret";
  BOOST_TEST((cluster_secret(a).error().code == core::Errc::io));
  BOOST_REQUIRE(write_secret_file(a.security.secret_file, secret).has_value());
  BOOST_TEST((cluster_secret(a).value() == secret));
  b.security.secret = to_hex(secret);
  BOOST_TEST(b.security.secret.starts_with("ab00"));
  BOOST_TEST(b.security.secret.ends_with("0c"));
  BOOST_TEST((cluster_secret(b).value() == secret));

  Tenant tenant;
  tenant.name = "t";
  BOOST_TEST((tenant_secret(a, tenant).value() == core::tenant_secret(secret, "t")));
  tenant.secret = std::string(64, '1');
  BOOST_TEST((tenant_secret(a, tenant).value()[5] == std::byte{0x11}));
}

BOOST_AUTO_TEST_CASE(tokens_come_from_text_or_the_first_line_of_a_file) {
  const Folder folder;
  Token token;
  token.token = "0123456789abcdef";
  BOOST_TEST(token_text(token).value() == token.token);
  token.token.clear();
  token.token_file = folder.path / "t";
  std::ofstream{token.token_file} << "short\n";
  fs::permissions(token.token_file, fs::perms::owner_read | fs::perms::owner_write);
  BOOST_TEST((token_text(token).error().code == core::Errc::bad_config));
  std::ofstream{token.token_file} << "fedcba9876543210\nmore\n";
  BOOST_TEST(token_text(token).value() == "fedcba9876543210");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
