#include "sim/event_generator_spec.h"

#include <optional>

#include "cluster-config/report.h"
#include "cluster-config/schema_bind.h"
#include "cluster-config/tree.h"
#include "sim/toml_tables.h"

namespace spillway::sim {
namespace {

using config::bind;
using config::ErrorKind;
using config::KeySpec;
using config::ms;
using config::s;
using config::Tree;
using config::Type;

constexpr std::uint64_t day = 24 * 3600 * s;
constexpr std::string_view moment_words[] = {"kick-off", "goal", "breaking-news"};
constexpr std::string_view table_names[] = {"captions", "chat", "moderation", "moments"};

struct TopEntry {
  std::uint32_t version = 0;
  core::Duration duration = EventSpec{}.duration;
  std::uint32_t block_tokens = EventSpec{}.block_tokens;
};

/// Unset members are as usual for the kind.
struct MomentEntry {
  MomentKind kind = MomentKind::goal;
  core::Duration at{0};
  std::optional<core::Duration> length;
  std::optional<std::uint32_t> chat_percent;
  std::optional<std::uint32_t> cadence_percent;
  std::optional<std::uint32_t> uploads;
  std::optional<core::Duration> upload_delay;
};

template <class S, auto Member>
constexpr KeySpec count(std::string_view name, std::uint64_t min, std::uint64_t max, std::string_view unit, std::string_view example) {
  return bind<S, Member>({.name = name, .type = Type::count, .unit = unit, .min = min, .max = max, .example = example});
}
template <class S, auto Member>
constexpr KeySpec time(std::string_view name, std::uint64_t min, std::uint64_t max, std::string_view example) {
  return bind<S, Member>({.name = name, .type = Type::duration, .min = min, .max = max, .example = example});
}
template <class S, auto Member>
constexpr KeySpec word(std::string_view name, std::string_view example) {
  return bind<S, Member>({.name = name, .type = Type::name, .min = 1, .max = 63, .example = example});
}

constexpr KeySpec top_keys[] = {
    bind<TopEntry, &TopEntry::version>(
        {.name = "version", .type = Type::count, .min = 1, .max = 1, .required = true, .example = "version = 1"}),
    time<TopEntry, &TopEntry::duration>("duration", s, 7 * day, "duration = \"105min\""),
    count<TopEntry, &TopEntry::block_tokens>("block_tokens", 1, 4096, "tokens", "block_tokens = 16"),
};

constexpr KeySpec caption_keys[] = {
    count<CaptionSpec, &CaptionSpec::channels>("channels", 0, event_channels_max, "channels", "channels = 12"),
    bind<CaptionSpec, &CaptionSpec::languages>(
        {.name = "languages", .type = Type::names, .min = 1, .max = 200, .example = "languages = [\"de\", \"en\"]"}),
    time<CaptionSpec, &CaptionSpec::cadence>("cadence", 100 * ms, day, "cadence = \"4s\""),
    count<CaptionSpec, &CaptionSpec::jitter_percent>("jitter_percent", 0, 100, "percent", "jitter_percent = 25"),
    time<CaptionSpec, &CaptionSpec::deadline>("deadline", ms, day, "deadline = \"3s\""),
    count<CaptionSpec, &CaptionSpec::glossary_tokens>("glossary_tokens", 0, 1'000'000, "tokens", "glossary_tokens = 512"),
    count<CaptionSpec, &CaptionSpec::text_tokens>("text_tokens", 1, 1'000'000, "tokens", "text_tokens = 60"),
    count<CaptionSpec, &CaptionSpec::output_tokens>("output_tokens", 1, 1'000'000, "tokens", "output_tokens = 40"),
    word<CaptionSpec, &CaptionSpec::tenant>("tenant", "tenant = \"captions\""),
    word<CaptionSpec, &CaptionSpec::model>("model", "model = \"small\""),
};

constexpr KeySpec chat_keys[] = {
    count<ChatSpec, &ChatSpec::sessions_per_minute>("sessions_per_minute", 0, 1'000'000, "sessions", "sessions_per_minute = 60"),
    count<ChatSpec, &ChatSpec::burst_percent>("burst_percent", 0, 10'000, "percent", "burst_percent = 200"),
    time<ChatSpec, &ChatSpec::burst_on>("burst_on", 100 * ms, day, "burst_on = \"20s\""),
    time<ChatSpec, &ChatSpec::burst_off>("burst_off", 100 * ms, day, "burst_off = \"2min\""),
    count<ChatSpec, &ChatSpec::turns>("turns", 1, event_turns_max, "turns", "turns = 3"),
    time<ChatSpec, &ChatSpec::think>("think", ms, day, "think = \"20s\""),
    time<ChatSpec, &ChatSpec::answer_token>("answer_token", 0, 10 * s, "answer_token = \"25ms\""),
    count<ChatSpec, &ChatSpec::system_tokens>("system_tokens", 0, 1'000'000, "tokens", "system_tokens = 256"),
    count<ChatSpec, &ChatSpec::input_tokens>("input_tokens", 1, 1'000'000, "tokens", "input_tokens = 100"),
    count<ChatSpec, &ChatSpec::output_tokens>("output_tokens", 1, 1'000'000, "tokens", "output_tokens = 200"),
    word<ChatSpec, &ChatSpec::tenant>("tenant", "tenant = \"chat\""),
    word<ChatSpec, &ChatSpec::model>("model", "model = \"large\""),
};

constexpr KeySpec moderation_keys[] = {
    count<ModerationSpec, &ModerationSpec::uploads_per_minute>("uploads_per_minute", 0, 1'000'000, "uploads", "uploads_per_minute = 30"),
    time<ModerationSpec, &ModerationSpec::on>("on", 100 * ms, day, "on = \"30s\""),
    time<ModerationSpec, &ModerationSpec::off>("off", 100 * ms, day, "off = \"1min\""),
    count<ModerationSpec, &ModerationSpec::policy_tokens>("policy_tokens", 0, 1'000'000, "tokens", "policy_tokens = 384"),
    count<ModerationSpec, &ModerationSpec::input_tokens>("input_tokens", 1, 1'000'000, "tokens", "input_tokens = 300"),
    count<ModerationSpec, &ModerationSpec::output_tokens>("output_tokens", 1, 1'000'000, "tokens", "output_tokens = 8"),
    word<ModerationSpec, &ModerationSpec::tenant>("tenant", "tenant = \"moderation\""),
    word<ModerationSpec, &ModerationSpec::model>("model", "model = \"small\""),
};

constexpr KeySpec moment_keys[] = {
    bind<MomentEntry, &MomentEntry::kind>(
        {.name = "kind", .type = Type::choice, .required = true, .example = "kind = \"goal\"", .words = moment_words}),
    bind<MomentEntry, &MomentEntry::at>(
        {.name = "at", .type = Type::duration, .min = 0, .max = 7 * day, .required = true, .example = "at = \"12min\""}),
    time<MomentEntry, &MomentEntry::length>("length", ms, day, "length = \"1min\""),
    count<MomentEntry, &MomentEntry::chat_percent>("chat_percent", 0, 100'000, "percent", "chat_percent = 600"),
    count<MomentEntry, &MomentEntry::cadence_percent>("cadence_percent", 1, 100, "percent", "cadence_percent = 60"),
    count<MomentEntry, &MomentEntry::uploads>("uploads", 0, 1'000'000, "uploads", "uploads = 400"),
    time<MomentEntry, &MomentEntry::upload_delay>("upload_delay", ms, day, "upload_delay = \"45s\""),
};

MomentSpec moment_of(const MomentEntry& entry) {
  MomentSpec moment = usual_moment(entry.kind);
  moment.at = entry.at;
  moment.length = entry.length.value_or(moment.length);
  moment.chat_percent = entry.chat_percent.value_or(moment.chat_percent);
  moment.cadence_percent = entry.cadence_percent.value_or(moment.cadence_percent);
  moment.uploads = entry.uploads.value_or(moment.uploads);
  moment.upload_delay = entry.upload_delay.value_or(moment.upload_delay);
  return moment;
}

class Reader : TomlTables {
 public:
  Reader(const Tree& root, config::Report& report) : TomlTables{root, report, "an event", table_names} {}

  EventSpec run() {
    TopEntry top;
    read_top("event", top_keys, top);
    spec_.duration = top.duration;
    spec_.block_tokens = top.block_tokens;
    read_table("captions", caption_keys, spec_.captions);
    read_table("chat", chat_keys, spec_.chat);
    read_table("moderation", moderation_keys, spec_.moderation);
    for_each_entry("moments", event_moments_max, [this](const Tree& table, const std::string& path) {
      MomentEntry entry;
      read(table, "moments[]", moment_keys, path, &entry);
      if (entry.at >= spec_.duration)
        report_.add(ErrorKind::out_of_range, path + ".at", "want a time within the duration of the event", "make the event longer");
      spec_.moments.push_back(moment_of(entry));
    });
    return std::move(spec_);
  }

 private:
  EventSpec spec_;
};

}  // namespace

LoadedEvent parse_event(std::string_view text, std::string_view file) {
  const auto tree = config::parse_tree(text, file);
  if (!tree) return tl::make_unexpected(config::ConfigErrors{tree.error()});
  config::Report report(file);
  auto spec = Reader(*tree, report).run();
  if (report.failed()) return tl::make_unexpected(report.take());
  return spec;
}

LoadedEvent load_event(const std::filesystem::path& file) {
  auto text = read_toml(file, "the file of an event");
  if (!text) return tl::make_unexpected(config::ConfigErrors{text.error()});
  return parse_event(*text, file.string());
}

}  // namespace spillway::sim
