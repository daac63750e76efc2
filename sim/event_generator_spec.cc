#include "sim/event_generator_spec.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <optional>

#include "cluster-config/report.h"
#include "cluster-config/schema_bind.h"
#include "cluster-config/suggest.h"
#include "cluster-config/tree.h"
#include "cluster-config/values.h"

namespace spillway::sim {
namespace {

using config::bind;
using config::ErrorKind;
using config::KeySpec;
using config::ms;
using config::s;
using config::Tree;
using config::Type;

constexpr std::size_t file_bytes_max = 1U << 20;
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

class Reader {
 public:
  Reader(const Tree& root, config::Report& report) : root_{root}, report_{report} {}

  EventSpec run() {
    read_top();
    read_table("captions", caption_keys, spec_.captions);
    read_table("chat", chat_keys, spec_.chat);
    read_table("moderation", moderation_keys, spec_.moderation);
    read_moments();
    return std::move(spec_);
  }

 private:
  /// Reads the keys of a table into `target`. What is no key is reported here, with the names that an event has.
  void read(const Tree& table, std::string_view pattern, std::span<const KeySpec> keys, const std::string& path, void* target) {
    std::vector<std::string_view> known;
    for (const auto& key : keys) known.push_back(key.name);
    const auto count = known.size();
    if (path.empty()) known.insert(known.end(), std::begin(table_names), std::end(table_names));
    Tree own = table;
    std::erase_if(own.children, [&](const Tree& child) {
      const auto found = static_cast<std::size_t>(std::find(known.begin(), known.end(), child.key) - known.begin());
      if (found < known.size()) return found >= count;
      const auto name = (path.empty() ? "" : path + ".") + config::clean(child.key, 60);
      const auto near = config::nearest(child.key, known);
      report_.place(name, child);
      report_.add(ErrorKind::unknown_key, name, "is no key of an event",
                  near.empty() ? "want one of " + joined(known) : "did you mean `" + std::string{near} + "`?");
      return true;
    });
    config::read_keys({.pattern = pattern, .sentence = {}, .keys = keys}, own, path, target, report_);
  }

  static std::string joined(const std::vector<std::string_view>& words) {
    std::string out;
    for (const auto word : words) out += (out.empty() ? "" : ", ") + std::string{word};
    return out;
  }

  void read_top() {
    TopEntry top;
    read(root_, "event", top_keys, "", &top);
    if (top.version != 0 && root_.children.front().key != "version")
      report_.add(ErrorKind::version_not_first, "version", "want it before all other keys", "begin the file with `version = 1`");
    spec_.duration = top.duration;
    spec_.block_tokens = top.block_tokens;
  }

  bool is_table(const Tree& tree, const std::string& path) {
    report_.place(path, tree);
    if (tree.kind == Tree::Kind::table) return true;
    report_.add(ErrorKind::wrong_type, path, "want a table", "for example: [" + path + "]");
    return false;
  }

  template <class T>
  void read_table(const std::string& name, std::span<const KeySpec> keys, T& target) {
    const auto* table = root_.child(name);
    if (table == nullptr || !is_table(*table, name)) return;
    read(*table, name, keys, name, &target);
  }

  void read_moments() {
    const auto* list = root_.child("moments");
    if (list == nullptr) return;
    report_.place("moments", *list);
    if (list->kind != Tree::Kind::list) {
      report_.add(ErrorKind::wrong_type, "moments", "want a list of tables", "write [[moments]] with two brackets");
      return;
    }
    if (list->children.size() > event_moments_max) {
      report_.add(ErrorKind::out_of_range, "moments", "want at most " + std::to_string(event_moments_max) + " entries", "leave some out");
      return;
    }
    for (std::size_t i = 0; i < list->children.size(); ++i) {
      const std::string path = "moments[" + std::to_string(i) + "]";
      if (!is_table(list->children[i], path)) continue;
      MomentEntry entry;
      read(list->children[i], "moments[]", moment_keys, path, &entry);
      if (entry.at >= spec_.duration)
        report_.add(ErrorKind::out_of_range, path + ".at", "want a time within the duration of the event", "make the event longer");
      spec_.moments.push_back(moment_of(entry));
    }
  }

  const Tree& root_;
  config::Report& report_;
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
  const auto refused = [&](ErrorKind kind, std::string want, std::string fix) {
    return tl::make_unexpected(config::ConfigErrors{{kind, file.string(), 0, {}, {}, std::move(want), std::move(fix)}});
  };
  std::ifstream in(file, std::ios::binary);
  std::error_code ignored;
  if (!in || std::filesystem::is_directory(file, ignored))
    return refused(ErrorKind::unreadable, "cannot be opened: want the file of an event", "give the path of a TOML file");
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max)
    return refused(ErrorKind::too_large, "want at most " + std::to_string(file_bytes_max) + " bytes", "leave moments out");
  return parse_event(text, file.string());
}

}  // namespace spillway::sim
