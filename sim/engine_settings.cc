#include "sim/engine_settings.h"

#include <algorithm>
#include <boost/json.hpp>
#include <initializer_list>
#include <string_view>

#include "core/step.h"
#include "sim/text.h"

namespace spillway::sim {

namespace {

namespace json = boost::json;

std::uint32_t line_at(std::string_view text, std::size_t position) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(position, text.size()));
  return 1 + static_cast<std::uint32_t>(std::count(text.begin(), end, '\n'));
}

core::Result<json::value> parse(const TextFile& file) {
  boost::system::error_code error;
  json::stream_parser parser;
  const auto parsed = parser.write_some(file.text.data(), file.text.size(), error);
  if (!error && file.text.find_first_not_of(" \t\r\n", parsed) != std::string::npos)
    return wrong_at(file.path, line_at(file.text, parsed), "something behind the JSON object: want nothing");
  if (!error) parser.finish(error);
  if (error) return wrong_at(file.path, line_at(file.text, parsed), "no JSON (" + error.message() + "): want one object");
  auto value = parser.release();
  if (!value.is_object()) return wrong_at(file.path, 1, "JSON, but no object: want one object");
  return value;
}

/// One value of the file: the first of the paths ("a/b/c") at which there is one that is not null.
class Settings {
 public:
  Settings(const TextFile& file, const json::value& root) : file_(file), root_(root) {}

  core::Result<std::optional<std::int64_t>> whole(std::initializer_list<std::string_view> paths, std::int64_t low,
                                                  std::int64_t high) const {
    const auto [path, value] = first(paths);
    if (value == nullptr) return std::optional<std::int64_t>{};
    boost::system::error_code error;
    const auto number = value->is_number() ? value->to_number<std::int64_t>(error) : low - 1;
    if (!error && number >= low && number <= high) return std::optional(number);
    return wrong(path, *value, "a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  }

  core::Result<std::optional<bool>> boolean(std::initializer_list<std::string_view> paths) const {
    const auto [path, value] = first(paths);
    if (value == nullptr) return std::optional<bool>{};
    if (value->is_bool()) return std::optional(value->get_bool());
    return wrong(path, *value, "true or false");
  }

  tl::unexpected<core::Error> wrong(std::string_view path, const json::value& value, const std::string& wanted) const {
    const auto key = path.substr(path.rfind('/') + 1);
    const auto at = file_.text.find("\"" + std::string(key) + "\"");
    return wrong_at(file_.path, line_at(file_.text, at == std::string::npos ? 0 : at),
                    std::string(path) + " is " + json::serialize(value).substr(0, 40) + ": want " + wanted);
  }

 private:
  struct Found {
    std::string_view path;
    const json::value* value = nullptr;
  };
  Found first(std::initializer_list<std::string_view> paths) const {
    for (const auto path : paths) {
      const json::value* at = &root_;
      for (std::string_view rest = path; at != nullptr && !rest.empty();) {
        const auto slash = rest.find('/');
        at = at->is_object() ? at->get_object().if_contains(rest.substr(0, slash)) : nullptr;
        rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
      }
      if (at != nullptr && !at->is_null()) return {path, at};
    }
    return {};
  }

  const TextFile& file_;
  const json::value& root_;
};

core::Result<EngineSettings> settings_of(const TextFile& file) {
  const auto root = parse(file);
  if (!root) return tl::make_unexpected(root.error());
  const Settings given(file, *root);
  EngineSettings settings;
  const auto take = [&](std::uint32_t& into, std::initializer_list<std::string_view> paths, std::int64_t high) -> core::Result<bool> {
    const auto value = given.whole(paths, 1, high);
    if (!value) return tl::make_unexpected(value.error());
    if (*value) into = static_cast<std::uint32_t>(**value);
    return value->has_value();
  };
  if (auto r = take(settings.kv_blocks, {"kv_cache/num_gpu_blocks", "resolved_config/cache_config/num_gpu_blocks"}, kv_blocks_max); !r)
    return tl::make_unexpected(r.error());
  if (auto r =
          take(settings.sequences_max, {"resolved_config/scheduler_config/max_num_seqs", "engine_kwargs/max_num_seqs"}, sequences_limit);
      !r)
    return tl::make_unexpected(r.error());
  if (auto r = take(settings.step_tokens_max,
                    {"resolved_config/scheduler_config/max_num_batched_tokens", "engine_kwargs/max_num_batched_tokens"}, step_tokens_limit);
      !r)
    return tl::make_unexpected(r.error());
  std::uint32_t block = core::block_tokens;
  if (auto r = take(block, {"kv_cache/block_size", "resolved_config/cache_config/block_size"}, 1 << 20); !r)
    return tl::make_unexpected(r.error());
  if (block != core::block_tokens)
    return given.wrong("kv_cache/block_size", block, "blocks of " + std::to_string(core::block_tokens) + " tokens");
  std::uint32_t devices = 1;
  if (auto r = take(devices, {"resolved_config/parallel_config/world_size", "engine_kwargs/tensor_parallel_size"}, 1 << 20); !r)
    return tl::make_unexpected(r.error());
  if (devices != 1) return given.wrong("resolved_config/parallel_config/world_size", devices, "an engine of one device");
  const auto cached = given.boolean({"kv_cache/enable_prefix_caching", "resolved_config/cache_config/enable_prefix_caching"});
  if (!cached) return tl::make_unexpected(cached.error());
  settings.prefix_cache = cached->value_or(true);
  return settings;
}

}  // namespace

core::Result<EngineSettings> read_engine_settings(const std::string& folder, const EngineFlags& flags) {
  const std::string path = folder + "/vllm-meta.json";
  EngineSettings settings;
  const bool there = file_exists(path);
  if (there) {
    const auto file = read_text(path);
    if (!file) return tl::make_unexpected(file.error());
    auto read = settings_of(*file);
    if (!read) return read;
    settings = *read;
  }
  settings.kv_blocks = flags.kv_blocks.value_or(settings.kv_blocks);
  settings.sequences_max = flags.sequences_max.value_or(settings.sequences_max);
  settings.step_tokens_max = flags.step_tokens_max.value_or(settings.step_tokens_max);
  settings.prefix_cache = settings.prefix_cache && !flags.no_prefix_cache;
  if (settings.kv_blocks == 0 && !there) return core::fail(core::Errc::bad_file, path + ": is not there: want it, or --kv-blocks N");
  if (settings.kv_blocks == 0) return wrong_at(path, 1, "no number of KV blocks: want kv_cache.num_gpu_blocks, or --kv-blocks N");
  return settings;
}

}  // namespace spillway::sim
