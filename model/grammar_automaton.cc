#include "model/grammar_automaton.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "core/assert.h"

namespace spillway::model {

namespace {

constexpr std::uint32_t none = 0xffffffffU;
/// Sizes of all sets that the construction looks at, together.
constexpr std::size_t work_max = 1U << 23;

using StateSet = std::vector<std::uint32_t>;  // ascending

/// Byte ranges of the UTF-8 of code points, in order of their lengths; surrogates are none.
struct Utf8Length {
  char32_t first;
  char32_t last;
  unsigned bytes;
};
constexpr Utf8Length utf8_lengths[] = {{0, 0x7F, 1}, {0x80, 0x7FF, 2}, {0x800, 0xD7FF, 3}, {0xE000, 0xFFFF, 3}, {0x10000, 0x10FFFF, 4}};

}  // namespace

/// From rules to states: each rule's expression by Thompson's construction, then by sets of states to a deterministic automaton in
/// which a call of a rule is one more symbol, then without what never comes to an end.
class GrammarBuilder {
 public:
  explicit GrammarBuilder(const GrammarRules& rules) : rules_{rules} {}

  core::Result<GrammarAutomaton> make() {
    for (std::uint32_t r = 0; r < rules_.rules.size() && !error_; ++r) add_rule(r);
    if (!error_) find_productive();
    if (!error_) refuse_left_recursion();
    if (error_) return tl::make_unexpected(core::Error{core::Errc::bad_argument, "grammar: " + *error_, {}});
    return emit();
  }

 private:
  struct Loose {  // a state of Thompson's construction
    std::vector<GrammarAutomaton::Edge> edges;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> calls;  // rule, to
    std::vector<std::uint32_t> empty;
  };
  struct Strict {  // a state of the deterministic automaton
    std::vector<GrammarAutomaton::Edge> edges;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> calls;
    bool final = false;
    bool productive = false;
  };

  void fail(std::string what) {
    if (!error_) error_ = std::move(what);
  }
  std::string name(std::uint32_t rule) const { return "the rule '" + rules_.rules[rule].name + "'"; }

  // -- Thompson's construction

  std::uint32_t loose() {
    if (loose_.size() >= 2 * GrammarAutomaton::states_max) fail(name(rule_) + " needs too many states: repeat less");
    loose_.emplace_back();
    return static_cast<std::uint32_t>(loose_.size() - 1);
  }

  void build(const GrammarExpr& expr, std::uint32_t from, std::uint32_t to) {
    if (error_) return;
    switch (expr.kind) {
      case GrammarExpr::Kind::text: return build_text(expr.text, from, to);
      case GrammarExpr::Kind::chars: return build_chars(expr.chars, from, to);
      case GrammarExpr::Kind::sequence:
        for (std::size_t i = 0; i + 1 < expr.parts.size(); ++i) {
          const auto next = loose();
          build(expr.parts[i], from, next);
          from = next;
        }
        return expr.parts.empty() ? link(from, to) : build(expr.parts.back(), from, to);
      case GrammarExpr::Kind::choice:
        for (const auto& part : expr.parts) build(part, from, to);
        return;
      case GrammarExpr::Kind::repeat: return build_repeat(expr, from, to);
      case GrammarExpr::Kind::rule: loose_[from].calls.emplace_back(expr.rule, to); return;
    }
  }

  void link(std::uint32_t from, std::uint32_t to) { loose_[from].empty.push_back(to); }

  void build_text(const std::string& text, std::uint32_t from, std::uint32_t to) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto next = i + 1 == text.size() ? to : loose();
      const auto byte = static_cast<std::uint8_t>(text[i]);
      loose_[from].edges.push_back({byte, byte, next});
      from = next;
    }
    if (text.empty()) link(from, to);
  }

  void build_repeat(const GrammarExpr& expr, std::uint32_t from, std::uint32_t to) {
    const auto& part = expr.parts.front();
    for (std::uint32_t i = 0; i < expr.min && !error_; ++i) {
      const auto next = loose();
      build(part, from, next);
      from = next;
    }
    if (expr.max == no_max) {
      const auto again = loose();
      link(from, again);
      build(part, again, again);
      return link(again, to);
    }
    for (std::uint32_t i = expr.min; i < expr.max && !error_; ++i) {
      link(from, to);
      const auto next = loose();
      build(part, from, next);
      from = next;
    }
    link(from, to);
  }

  void build_chars(const std::vector<CharRange>& ranges, std::uint32_t from, std::uint32_t to) {
    tails_.clear();
    for (const auto& range : ranges) {
      for (const auto& length : utf8_lengths) {
        const char32_t first = std::max(range.first, length.first);
        const char32_t last = std::min(range.last, length.last);
        if (first <= last) build_bytes(first, last, length.bytes, from, to);
      }
    }
  }

  /// Code points [first, last] of one length, cut until each byte's range is free of those of the others.
  void build_bytes(char32_t first, char32_t last, unsigned bytes, std::uint32_t from, std::uint32_t to) {
    for (unsigned low = 1; low < bytes; ++low) {
      const char32_t mask = (char32_t{1} << (6 * low)) - 1;
      if ((first & ~mask) == (last & ~mask)) continue;
      if ((first & mask) != 0) {
        build_bytes(first, first | mask, bytes, from, to);
        return build_bytes((first | mask) + 1, last, bytes, from, to);
      }
      if ((last & mask) != mask) {
        build_bytes(first, (last & ~mask) - 1, bytes, from, to);
        return build_bytes(last & ~mask, last, bytes, from, to);
      }
    }
    std::string low;
    std::string high;
    append_utf8(first, low);
    append_utf8(last, high);
    for (unsigned i = bytes; i-- > 1;) to = tail(static_cast<std::uint8_t>(low[i]), static_cast<std::uint8_t>(high[i]), to);
    loose_[from].edges.push_back({static_cast<std::uint8_t>(low[0]), static_cast<std::uint8_t>(high[0]), to});
  }

  /// The one state of this class that takes these bytes to `to`.
  std::uint32_t tail(std::uint8_t first, std::uint8_t last, std::uint32_t to) {
    const auto [found, added] = tails_.try_emplace({first, last, to}, 0);
    if (added) {
      found->second = loose();
      loose_[found->second].edges.push_back({first, last, to});
    }
    return found->second;
  }

  // -- Sets of states

  void add_rule(std::uint32_t rule) {
    rule_ = rule;
    loose_.clear();
    const auto from = loose();
    const auto to = loose();
    build(rules_.rules[rule].body, from, to);
    sets_.clear();
    starts_.push_back(error_ ? none : strict_of({from}, to));
    while (!pending_.empty() && !error_) {
      const auto state = pending_.back();
      pending_.pop_back();
      const StateSet set = *set_of_[state];
      add_edges(state, set, to);
      add_calls(state, set, to);
    }
    pending_.clear();
  }

  /// The deterministic state of these and all that they lead to by nothing.
  std::uint32_t strict_of(StateSet set, std::uint32_t to) {
    std::vector<std::uint32_t> open = set;
    seen_.resize(loose_.size(), false);
    for (const auto state : set) seen_[state] = true;
    while (!open.empty()) {
      const auto state = open.back();
      open.pop_back();
      for (const auto next : loose_[state].empty) {
        if (seen_[next]) continue;
        seen_[next] = true;
        set.push_back(next);
        open.push_back(next);
      }
    }
    for (const auto state : set) seen_[state] = false;
    std::sort(set.begin(), set.end());
    work_ += set.size();
    if (work_ > work_max) fail(name(rule_) + " is too ambiguous: the same text can be read in too many ways");
    const auto [found, added] = sets_.try_emplace(std::move(set), static_cast<std::uint32_t>(strict_.size()));
    if (!added) return found->second;
    if (strict_.size() == GrammarAutomaton::states_max)
      fail(name(rule_) + " brings the grammar to more than " + std::to_string(GrammarAutomaton::states_max) + " states: repeat less");
    strict_.emplace_back();
    strict_.back().final = std::binary_search(found->first.begin(), found->first.end(), to);
    set_of_.resize(strict_.size());
    set_of_.back() = &found->first;
    pending_.push_back(found->second);
    return found->second;
  }

  void add_edges(std::uint32_t state, const StateSet& set, std::uint32_t to) {
    std::array<StateSet, 257> begins{};
    std::array<StateSet, 257> ends{};
    std::vector<bool> cut(257, false);
    for (const auto from : set) {
      for (const auto& edge : loose_[from].edges) {
        begins[edge.first].push_back(edge.to);
        ends[edge.last + 1U].push_back(edge.to);
        cut[edge.first] = cut[edge.last + 1U] = true;
      }
    }
    std::map<std::uint32_t, unsigned> running;  // targets of the bytes at hand, and how many edges lead there
    for (unsigned byte = 0; byte < 256 && !error_; ++byte) {
      for (const auto target : ends[byte])
        if (--running[target] == 0) running.erase(target);
      for (const auto target : begins[byte]) ++running[target];
      if (running.empty()) continue;
      auto& edges = strict_[state].edges;
      if (!cut[byte]) {
        edges.back().last = static_cast<std::uint8_t>(byte);
        continue;
      }
      StateSet targets;
      for (const auto& [target, edges_there] : running) targets.push_back(target);
      const auto next = strict_of(std::move(targets), to);
      auto& now = strict_[state].edges;  // strict_of may have moved it
      if (!now.empty() && now.back().to == next && now.back().last + 1U == byte) {
        now.back().last = static_cast<std::uint8_t>(byte);
      } else {
        now.push_back({static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(byte), next});
      }
    }
  }

  void add_calls(std::uint32_t state, const StateSet& set, std::uint32_t to) {
    std::map<std::uint32_t, StateSet> targets;
    for (const auto from : set) {
      for (const auto& [rule, next] : loose_[from].calls) targets[rule].push_back(next);
    }
    for (auto& [rule, nexts] : targets) {
      std::sort(nexts.begin(), nexts.end());
      nexts.erase(std::unique(nexts.begin(), nexts.end()), nexts.end());
      const auto next = strict_of(std::move(nexts), to);
      strict_[state].calls.emplace_back(rule, next);
    }
  }

  // -- What comes to an end

  void find_productive() {
    std::vector<std::vector<std::uint32_t>> edges_into(strict_.size());
    std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> calls_into(strict_.size());    // state, rule
    std::vector<std::vector<std::pair<std::uint32_t, std::uint32_t>>> callers(rules_.rules.size());  // state, to
    std::vector<std::vector<std::uint32_t>> rules_from(strict_.size());
    for (std::uint32_t r = 0; r < starts_.size(); ++r) rules_from[starts_[r]].push_back(r);
    std::vector<std::uint32_t> open;
    const auto mark = [&](std::uint32_t state) {
      if (strict_[state].productive) return;
      strict_[state].productive = true;
      open.push_back(state);
    };
    for (std::uint32_t s = 0; s < strict_.size(); ++s) {
      for (const auto& edge : strict_[s].edges) edges_into[edge.to].push_back(s);
      for (const auto& [rule, to] : strict_[s].calls) {
        calls_into[to].emplace_back(s, rule);
        callers[rule].emplace_back(s, to);
      }
      if (strict_[s].final) mark(s);
    }
    while (!open.empty()) {
      const auto state = open.back();
      open.pop_back();
      for (const auto from : edges_into[state]) mark(from);
      for (const auto& [from, rule] : calls_into[state])
        if (strict_[starts_[rule]].productive) mark(from);
      for (const auto rule : rules_from[state]) {
        for (const auto& [from, to] : callers[rule])
          if (strict_[to].productive) mark(from);
      }
    }
    if (!strict_[starts_[rules_.root]].productive) fail(name(rules_.root) + " matches no finite text");
  }

  bool useful(const std::pair<std::uint32_t, std::uint32_t>& call) const {
    return strict_[starts_[call.first]].productive && strict_[call.second].productive;
  }

  // -- Left recursion: a rule that is called again before a byte is taken would be called without end.

  void refuse_left_recursion() {
    find_nullable();
    std::vector<std::uint8_t> colour(starts_.size(), 0);  // 1 = on the way, 2 = done
    for (std::uint32_t r = 0; r < starts_.size() && !error_; ++r) visit(r, colour);
  }

  void find_nullable() {
    const auto count = static_cast<std::uint32_t>(starts_.size());
    nullable_.assign(count, false);
    seen_.assign(strict_.size(), false);
    // Both ways in turn: rules mostly stand all before, or all behind, those that they call.
    bool down = true;
    for (bool again = true; again; down = !down) {
      again = false;
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t r = down ? count - 1 - i : i;
        if (nullable_[r]) continue;
        const auto reached = without_bytes(starts_[r]);
        nullable_[r] = std::any_of(reached.begin(), reached.end(), [&](std::uint32_t state) { return strict_[state].final; });
        again = again || nullable_[r];
      }
    }
  }

  /// States that a rule comes to from `start` by calls of rules that match nothing.
  StateSet without_bytes(std::uint32_t start) {
    StateSet reached{start};
    seen_[start] = true;
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (const auto& call : strict_[reached[i]].calls) {
        if (!nullable_[call.first] || !useful(call) || seen_[call.second]) continue;
        seen_[call.second] = true;
        reached.push_back(call.second);
      }
    }
    for (const auto state : reached) seen_[state] = false;
    return reached;
  }

  void visit(std::uint32_t rule, std::vector<std::uint8_t>& colour) {
    if (colour[rule] == 2 || error_) return;
    if (colour[rule] == 1) return fail(name(rule) + " calls itself before it has taken a character (left recursion): put the call last");
    colour[rule] = 1;
    for (const auto state : without_bytes(starts_[rule])) {
      for (const auto& call : strict_[state].calls)
        if (useful(call)) visit(call.first, colour);
    }
    colour[rule] = 2;
  }

  // -- The result

  GrammarAutomaton emit() const {
    GrammarAutomaton made;
    made.start_ = starts_[rules_.root];
    std::array<bool, 257> cut{};
    for (const auto& state : strict_) {
      made.edge_starts_.push_back(static_cast<std::uint32_t>(made.edges_.size()));
      made.call_starts_.push_back(static_cast<std::uint32_t>(made.calls_.size()));
      made.final_.push_back(state.final);
      for (const auto& edge : state.edges) {
        if (!strict_[edge.to].productive) continue;
        made.edges_.push_back(edge);
        cut[edge.first] = cut[edge.last + 1U] = true;
      }
      for (const auto& call : state.calls) {
        if (!useful(call)) continue;
        const auto& to = strict_[call.second];
        made.calls_.push_back({starts_[call.first], call.second, to.final && to.edges.empty() && to.calls.empty()});
      }
    }
    made.edge_starts_.push_back(static_cast<std::uint32_t>(made.edges_.size()));
    made.call_starts_.push_back(static_cast<std::uint32_t>(made.calls_.size()));
    std::uint8_t byte_class = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (byte > 0 && cut[byte]) ++byte_class;
      made.classes_[byte] = byte_class;
    }
    return made;
  }

  const GrammarRules& rules_;
  std::uint32_t rule_ = 0;  // at work
  std::optional<std::string> error_;
  std::vector<Loose> loose_;
  std::map<std::tuple<std::uint8_t, std::uint8_t, std::uint32_t>, std::uint32_t> tails_;
  std::map<StateSet, std::uint32_t> sets_;  // of the rule at work
  std::vector<const StateSet*> set_of_;     // of its states
  std::vector<std::uint32_t> pending_;
  std::vector<bool> seen_;
  std::size_t work_ = 0;
  std::vector<Strict> strict_;
  std::vector<std::uint32_t> starts_;  // of each rule
  std::vector<bool> nullable_;
};

core::Result<GrammarAutomaton> GrammarAutomaton::make(const GrammarRules& rules) {
  SPILLWAY_ASSERT(rules.root < rules.rules.size());
  return GrammarBuilder(rules).make();
}

}  // namespace spillway::model
