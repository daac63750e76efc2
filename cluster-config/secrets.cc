#include "cluster-config/secrets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cluster-config/values.h"

namespace spillway::config {
namespace {

constexpr std::size_t secret_file_bytes_max = 4096;
constexpr std::string_view z85_letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

core::Result<void> write_private(const std::filesystem::path& file, std::string_view text) {
  std::error_code code;
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), code);
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    if (errno == EEXIST) {
      return core::fail(core::Errc::already_exists,
                        file.string() + " exists: keys are never overwritten; choose another name or remove it first");
    }
    return core::fail(core::Errc::io, "cannot write " + file.string() + ": " + std::strerror(errno));
  }
  std::size_t done = 0;
  while (done < text.size()) {
    const auto wrote = ::write(fd, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) break;
    done += static_cast<std::size_t>(wrote);
  }
  const bool closed = ::fchmod(fd, 0600) == 0 && ::close(fd) == 0;
  if (done < text.size() || !closed) return core::fail(core::Errc::io, "cannot write " + file.string() + ": " + std::strerror(errno));
  return {};
}

core::Result<std::string> read_private(const std::filesystem::path& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return core::fail(core::Errc::io, "cannot read " + file.string() + ": " + std::strerror(errno));
  struct stat status {};
  std::string text(secret_file_bytes_max, '\0');
  const bool known = ::fstat(fd, &status) == 0;
  const auto got = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (!known || got < 0) return core::fail(core::Errc::io, "cannot read " + file.string() + ": " + std::strerror(errno));
  if ((status.st_mode & 0077U) != 0) {
    return core::fail(core::Errc::unauthorized,
                      file.string() + " can be read by others than its owner; run `chmod 600 " + file.string() + "`");
  }
  text.resize(static_cast<std::size_t>(got));
  return text;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// The value of the line `name = "value"`.
std::string_view line_value(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = trimmed(line);
    if (!line.starts_with(name)) continue;
    line = trimmed(line.substr(name.size()));
    if (!line.starts_with('=')) continue;
    line = trimmed(line.substr(1));
    if (line.size() >= 2 && line.front() == '"' && line.back() == '"') return line.substr(1, line.size() - 2);
  }
  return {};
}

std::uint8_t hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  return static_cast<std::uint8_t>((c | 0x20) - 'a' + 10);
}

std::optional<core::TenantSecret> from_hex(std::string_view text) {
  if (!is_secret(text)) return std::nullopt;
  core::TenantSecret out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::byte>(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
  }
  return out;
}

}  // namespace

bool is_curve_key(std::string_view text) {
  constexpr std::size_t group = 5;  // five letters are four bytes
  if (text.size() != 40) return false;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = z85_letters.find(text[i]);
    if (digit == std::string_view::npos) return false;
    value = i % group == 0 ? digit : value * z85_letters.size() + digit;
    if (value > 0xFFFF'FFFFU) return false;
  }
  return true;
}

core::Result<void> write_key_file(const std::filesystem::path& file, const KeyPair& keys) {
  return write_private(file, "# CURVE key pair of a Spillway node or client. The secret half never leaves this machine.\npublic = \"" +
                                 keys.public_key + "\"\nsecret = \"" + keys.secret_key + "\"\n");
}

core::Result<KeyPair> read_key_file(const std::filesystem::path& file) {
  const auto text = read_private(file);
  if (!text) return tl::make_unexpected(text.error());
  KeyPair keys{std::string{line_value(*text, "public")}, std::string{line_value(*text, "secret")}};
  if (!is_curve_key(keys.public_key) || !is_curve_key(keys.secret_key)) {
    return core::fail(core::Errc::bad_config, file.string() +
                                                  " is no key file: want the lines public = \"...\" and secret = \"...\" as "
                                                  "`spillway keys new --out FILE` writes them");
  }
  return keys;
}

std::string to_hex(const core::TenantSecret& secret) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : secret) {
    text += digits[std::to_integer<std::size_t>(byte) >> 4];
    text += digits[std::to_integer<std::size_t>(byte) & 15U];
  }
  return text;
}

core::Result<void> write_secret_file(const std::filesystem::path& file, const core::TenantSecret& secret) {
  return write_private(file, to_hex(secret) + "\n");
}

core::Result<KeyPair> node_keys(const Node& node) {
  auto keys = read_key_file(node.key_file);
  if (!keys) return keys;
  if (keys->public_key != node.public_key) {
    return core::fail(core::Errc::bad_config, node.key_file.string() + " holds another key than the public_key of node \"" + node.name +
                                                  "\" in the cluster file; put " + keys->public_key + " there, or the right key file here");
  }
  return keys;
}

core::Result<core::TenantSecret> cluster_secret(const Cluster& cluster) {
  const auto& security = cluster.security;
  if (!security.secret.empty()) {
    if (const auto secret = from_hex(security.secret)) return *secret;
    return core::fail(core::Errc::bad_config, "security.secret: want 64 hex digits");
  }
  if (!security.secret_file.empty()) {
    const auto text = read_private(security.secret_file);
    if (!text) return tl::make_unexpected(text.error());
    if (const auto secret = from_hex(trimmed(*text))) return *secret;
    return core::fail(core::Errc::bad_config,
                      security.secret_file.string() + ": want 64 hex digits, as `spillway keys secret --out FILE` writes them");
  }
  return core::tenant_secret(core::TenantSecret{}, "loopback cluster " + cluster.name);
}

core::Result<core::TenantSecret> tenant_secret(const Cluster& cluster, const Tenant& tenant) {
  if (!tenant.secret.empty()) {
    if (const auto secret = from_hex(tenant.secret)) return *secret;
    return core::fail(core::Errc::bad_config, "tenants." + tenant.name + ".secret: want 64 hex digits");
  }
  auto base = cluster_secret(cluster);
  if (!base) return base;
  return core::tenant_secret(*base, tenant.name);
}

core::Result<std::string> token_text(const Token& token) {
  if (!token.token.empty()) return token.token;
  auto text = read_private(token.token_file);
  if (!text) return text;
  std::string line{trimmed(std::string_view{*text}.substr(0, text->find('\n')))};
  if (line.size() < 16)
    return core::fail(core::Errc::bad_config, token.token_file.string() + ": want a first line of at least 16 characters");
  return line;
}

}  // namespace spillway::config
