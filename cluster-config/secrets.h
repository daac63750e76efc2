#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cluster-config/cluster.h"
#include "core/digest.h"
#include "core/result.h"

namespace spillway::config {

/// A CURVE key pair, each half 40 characters of Z85.
struct KeyPair {
  std::string public_key;
  std::string secret_key;
};

/// Whether `text` is 40 characters of Z85.
bool is_curve_key(std::string_view text);

/// Writes a key file with mode 0600. Error: already_exists when there is one (never overwritten), io.
core::Result<void> write_key_file(const std::filesystem::path& file, const KeyPair& keys);
/// Reads what write_key_file wrote. Error: io; unauthorized when others may read the file; bad_config when it is no key file.
core::Result<KeyPair> read_key_file(const std::filesystem::path& file);

/// 64 lower-case hex digits.
std::string to_hex(const core::TenantSecret& secret);
/// The secret as 64 hex digits and a newline, mode 0600: for security.secret_file. Errors as write_key_file.
core::Result<void> write_secret_file(const std::filesystem::path& file, const core::TenantSecret& secret);

/// The node's own key pair; its public half must be the one in the cluster file. Error: as read_key_file, bad_config.
core::Result<KeyPair> node_keys(const Node& node);

/// The cluster's secret from `secret` or `secret_file`. On loopback without either: derived from the cluster's name, which
/// keeps block names apart but is no secret. Only routers need it.
core::Result<core::TenantSecret> cluster_secret(const Cluster& cluster);
/// The tenant's own secret, else derived from the cluster's.
core::Result<core::TenantSecret> tenant_secret(const Cluster& cluster, const Tenant& tenant);
/// The bearer secret itself, read from its file if need be.
core::Result<std::string> token_text(const Token& token);

}  // namespace spillway::config
