#include "sim/trace_servegen.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <optional>

#include "sim/trace_numbers.h"
#include "sim/trace_rows.h"
#include "sim/workload_random.h"

namespace spillway::sim {
namespace {

using core::Errc;
using std::filesystem::path;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t default_window_s = 600;
constexpr double rate_max = 1e6;  ///< requests per second of a client
constexpr double shape_max = 1e4;
constexpr std::uint64_t clients_max = 1U << 24;
constexpr const char* suffixes[] = {"-total-rate.csv", "-client-rates.csv", "-client-quantiles.csv"};
constexpr std::string_view input_fields[] = {"input_tokens", "text_tokens", "image_tokens", "audio_tokens", "video_tokens"};
constexpr std::string_view output_field = "output_tokens";
constexpr std::string_view percents[] = {"min", "q0.1", "q1",  "q5",  "q10", "q20", "q30",   "q40", "q50",
                                         "q60", "q70",  "q80", "q90", "q95", "q99", "q99.9", "max"};
constexpr std::array<double, 17> probabilities = {0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1};

struct TotalRate {
  std::int64_t t_s = 0;
  double rate_rps = 0;
};

struct ClientWindow {
  std::uint32_t client = 0;
  std::int64_t t_s = 0;
  double rate_rps = 0;
  bool weibull = false;
  double shape = 0;
  double scale_s = 0;
};

struct Quantiles {
  std::int64_t t_s = 0;
  std::array<double, probabilities.size()> values{};
};

/// Of one client: the windows of each field, by time.
using ClientLengths = std::map<std::string, std::vector<Quantiles>, std::less<>>;

struct Statistics {
  std::vector<TotalRate> totals;
  std::vector<ClientWindow> windows;
  std::map<std::uint32_t, ClientLengths> lengths;
  std::int64_t window_s = default_window_s;
};

path prefix_of(const path& given) {
  const std::string text = given.string();
  for (const std::string_view suffix : suffixes) {
    if (text.ends_with(suffix)) return text.substr(0, text.size() - suffix.size());
  }
  return given;
}

core::Result<std::ifstream> open(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (in) return in;
  return core::fail(Errc::io,
                    file + ": cannot be opened: want the prefix of three files " + suffixes[0] + ", " + suffixes[1] + ", " + suffixes[2]);
}

core::Result<void> read_totals(const path& prefix, Statistics& statistics) {
  enum Column : std::size_t { time, rate };
  const std::string file = prefix.string() + suffixes[0];
  auto in = open(file);
  if (!in) return tl::make_unexpected(in.error());
  TraceRows rows(*in, file, "total rates of ServeGen", {{"t_s"}, {"rate_rps"}});
  std::int64_t shortest = servegen_seconds_max;
  while (rows.next()) {
    const auto t_s = static_cast<std::int64_t>(rows.whole(time, 0, servegen_seconds_max, "s"));
    if (!statistics.totals.empty()) {
      const auto step = t_s - statistics.totals.back().t_s;
      if (step <= 0) rows.wrong(time, "want times that rise");
      shortest = std::min(shortest, step);
    }
    statistics.totals.push_back({t_s, rows.real(rate, 0, rate_max, "requests per second")});
  }
  if (rows.failed()) return tl::make_unexpected(rows.error());
  if (statistics.totals.size() > 1) statistics.window_s = shortest;
  return {};
}

core::Result<void> read_windows(const path& prefix, Statistics& statistics) {
  enum Column : std::size_t { client, time, rate, pattern, shape, scale };
  const std::string file = prefix.string() + suffixes[1];
  auto in = open(file);
  if (!in) return tl::make_unexpected(in.error());
  TraceRows rows(*in, file, "client rates of ServeGen", {{"client"}, {"t_s"}, {"rate_rps"}, {"pattern"}, {"arg1"}, {"arg2"}});
  std::map<std::uint32_t, std::int64_t> last;
  while (rows.next()) {
    ClientWindow window;
    window.client = static_cast<std::uint32_t>(rows.whole(client, 0, clients_max - 1, "client"));
    window.t_s = static_cast<std::int64_t>(rows.whole(time, 0, servegen_seconds_max, "s"));
    window.rate_rps = rows.real(rate, 0, rate_max, "requests per second");
    const auto name = rows.text(pattern);
    window.weibull = name == "Weibull";
    if (name != "Gamma" && name != "Weibull") rows.wrong(pattern, "want Gamma or Weibull");
    window.shape = rows.real(shape, 0.001, shape_max, "shape");
    window.scale_s = rows.real(scale, 1e-12, 1e12, "scale in s");
    const auto before = last.find(window.client);
    if (before != last.end() && window.t_s - before->second < statistics.window_s)
      rows.wrong(time, "want windows of a client that rise by at least " + std::to_string(statistics.window_s) + " s");
    last[window.client] = window.t_s;
    if (!rows.failed() && window.rate_rps > 0) statistics.windows.push_back(window);
  }
  if (rows.failed()) return tl::make_unexpected(rows.error());
  return {};
}

core::Result<void> read_quantiles(const path& prefix, Statistics& statistics) {
  enum Column : std::size_t { client, time, field, first };
  const std::string file = prefix.string() + suffixes[2];
  auto in = open(file);
  if (!in) return tl::make_unexpected(in.error());
  std::vector<TraceColumn> columns = {{"client"}, {"t_s"}, {"field"}};
  for (const auto percent : percents) columns.push_back({std::string{percent}});
  TraceRows rows(*in, file, "client quantiles of ServeGen", std::move(columns));
  while (rows.next()) {
    const auto id = static_cast<std::uint32_t>(rows.whole(client, 0, clients_max - 1, "client"));
    Quantiles quantiles;
    quantiles.t_s = static_cast<std::int64_t>(rows.whole(time, 0, servegen_seconds_max, "s"));
    for (std::size_t i = 0; i < quantiles.values.size(); ++i) {
      quantiles.values[i] = rows.real(first + i, 0, workload_tokens_max / 8.0, "tokens");
      if (i > 0 && quantiles.values[i] < quantiles.values[i - 1]) rows.wrong(first + i, "want quantiles that do not fall");
    }
    auto& list = statistics.lengths[id][rows.text(field)];
    if (!list.empty() && quantiles.t_s <= list.back().t_s) rows.wrong(time, "want windows of a client and field that rise");
    if (!rows.failed()) list.push_back(quantiles);
  }
  if (rows.failed()) return tl::make_unexpected(rows.error());
  return {};
}

/// Gaps between the arrivals of one client in one window.
class Gaps {
 public:
  Gaps(const ClientWindow& window, std::uint64_t seed)
      : window_{window}, random_(seed, RandomUse::servegen_arrivals, window.client, static_cast<std::uint32_t>(window.t_s)) {}

  double next_s() {
    return window_.weibull ? random_.weibull(window_.shape, window_.scale_s) : random_.gamma(window_.shape, window_.scale_s);
  }
  /// From a moment picked at random to the next arrival: a uniform part of a gap that is drawn by its length, for the moment
  /// falls into long gaps more often. So the mean number of arrivals is length / mean gap, however irregular they are.
  double first_s() {
    double whole = 0;
    if (window_.weibull) whole = window_.scale_s * exact_power(random_.gamma(1 + 1 / window_.shape, 1), 1 / window_.shape);
    else whole = random_.gamma(window_.shape + 1, window_.scale_s);
    return random_.uniform() * whole;
  }

 private:
  const ClientWindow& window_;
  CounterRandom random_;
};

/// Seconds from the start of the window, rising; at most `max` of them.
std::vector<double> arrivals_of(const ClientWindow& window, std::int64_t window_s, const ServeGenOptions& options, std::uint64_t max) {
  std::vector<double> times;
  Gaps gaps(window, options.seed);
  const auto length = static_cast<double>(window_s);
  if (options.arrivals == ServeGenArrivals::fitted) {
    for (double t = gaps.first_s(); t < length && times.size() < max; t += gaps.next_s()) times.push_back(t);
    return times;
  }
  const auto count = std::min(max, static_cast<std::uint64_t>(std::floor(window.rate_rps * length + 0.5)));
  double t = 0;
  for (std::uint64_t i = 0; i < count; ++i) times.push_back(t += gaps.next_s());
  t += gaps.next_s();
  for (std::uint64_t i = 0; i < count; ++i) {
    times[i] = t > 0 ? times[i] / t * length : length * (static_cast<double>(i) + 0.5) / static_cast<double>(count);
  }
  return times;
}

/// The quantiles in force at `t_s`: the last that began, or the first.
const Quantiles* at_time(const ClientLengths& lengths, std::string_view field, std::int64_t t_s) {
  const auto found = lengths.find(field);
  if (found == lengths.end() || found->second.empty()) return nullptr;
  const auto& list = found->second;
  const auto later = std::find_if(list.begin(), list.end(), [t_s](const Quantiles& q) { return q.t_s > t_s; });
  return later == list.begin() ? &list.front() : &*(later - 1);
}

double inverse_cdf(const Quantiles& quantiles, double probability) {
  std::size_t i = 1;
  while (i + 1 < probabilities.size() && probabilities[i] < probability) ++i;
  const double part = (probability - probabilities[i - 1]) / (probabilities[i] - probabilities[i - 1]);
  return quantiles.values[i - 1] + part * (quantiles.values[i] - quantiles.values[i - 1]);
}

/// Draws lengths of one client in one window.
class Lengths {
 public:
  Lengths(const ClientLengths& lengths, const ClientWindow& window, std::uint64_t seed)
      : output_{at_time(lengths, output_field, window.t_s)},
        random_(seed, RandomUse::servegen_lengths, window.client, static_cast<std::uint32_t>(window.t_s)) {
    for (const auto field : input_fields) {
      if (const auto* quantiles = at_time(lengths, field, window.t_s)) inputs_.push_back(quantiles);
    }
  }
  bool complete() const { return output_ != nullptr && !inputs_.empty(); }
  void draw(DraftRequest& request) {
    double input = 0;
    for (const auto* quantiles : inputs_) input += inverse_cdf(*quantiles, random_.uniform());
    request.input_tokens = whole(input);
    request.output_tokens = whole(inverse_cdf(*output_, random_.uniform()));
  }

 private:
  static std::uint32_t whole(double tokens) { return std::max(1U, static_cast<std::uint32_t>(std::floor(tokens + 0.5))); }
  std::vector<const Quantiles*> inputs_;
  const Quantiles* output_;
  CounterRandom random_;
};

std::string in_percent(double part) {
  const auto tenths = static_cast<std::int64_t>(std::floor(part * 1000 + 0.5));
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

/// The share of all clients' rate that the kept clients have in the windows that were sampled.
std::string share_note(const Statistics& statistics, const ServeGenOptions& options, double kept_rate) {
  double whole = 0;
  for (const auto& total : statistics.totals) {
    if (total.t_s + statistics.window_s > options.start_s && total.t_s < options.start_s + options.duration_s) whole += total.rate_rps;
  }
  return "sampled from the clients in the files, which have " + (whole > 0 ? in_percent(kept_rate / whole) : "an unknown share") +
         " of the rate of all clients" +
         (options.arrivals == ServeGenArrivals::fitted ? "; gaps by the fitted shape and scale"
                                                       : "; as many arrivals in each window as were measured");
}

core::Result<LoadedWorkload> sample(const Statistics& statistics, const std::string& model, const ServeGenOptions& options) {
  WorkloadBuilder builder;
  double kept_rate = 0;
  const std::int64_t end_s = options.start_s + options.duration_s;
  for (const auto& window : statistics.windows) {
    if (window.t_s + statistics.window_s <= options.start_s || window.t_s >= end_s) continue;
    const auto lengths = statistics.lengths.find(window.client);
    std::optional<Lengths> draws;
    if (lengths != statistics.lengths.end()) draws.emplace(lengths->second, window, options.seed);
    if (!draws || !draws->complete())
      return core::fail(Errc::bad_file, model + suffixes[2] + ": client " + std::to_string(window.client) +
                                            " has rates but no quantiles of input and output tokens");
    kept_rate += window.rate_rps;
    const std::string tenant = "client-" + std::to_string(window.client);
    for (const double t : arrivals_of(window, statistics.window_s, options, workload_requests_max)) {
      DraftRequest request;
      request.tenant = tenant;
      request.model = model;
      draws->draw(request);
      const auto within = std::min(static_cast<std::int64_t>(std::floor(t * 1e9)), statistics.window_s * second_ns - 1);
      request.arrival_ns = (window.t_s - options.start_s) * second_ns + within;
      if (request.arrival_ns >= 0 && request.arrival_ns < options.duration_s * second_ns) builder.add(request);
    }
    if (builder.full()) break;
  }
  auto workload = builder.finish();
  if (!workload) return tl::make_unexpected(workload.error());
  if (workload->requests.empty())
    return core::fail(Errc::bad_argument, model + ": no arrival from " + std::to_string(options.start_s) + " s for " +
                                              std::to_string(options.duration_s) + " s: want a time within the trace");
  return LoadedWorkload{std::move(*workload), {share_note(statistics, options, kept_rate)}};
}

}  // namespace

core::Result<LoadedWorkload> load_servegen(const path& given, const ServeGenOptions& options) {
  if (options.start_s < 0 || options.start_s > servegen_seconds_max || options.duration_s < 1 || options.duration_s > servegen_seconds_max)
    return core::fail(Errc::bad_argument,
                      "start " + std::to_string(options.start_s) + " s, duration " + std::to_string(options.duration_s) +
                          " s: want a start from 0 and a duration from 1, both at most " + std::to_string(servegen_seconds_max));
  const auto prefix = prefix_of(given);
  Statistics statistics;
  for (const auto read : {read_totals, read_windows, read_quantiles}) {
    if (const auto done = read(prefix, statistics); !done) return tl::make_unexpected(done.error());
  }
  return sample(statistics, prefix.filename().string(), options);
}

}  // namespace spillway::sim
