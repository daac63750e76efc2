#include "sim/validate.h"

#include <array>
#include <boost/json.hpp>
#include <iomanip>
#include <sstream>
#include <utility>

#include "sim/profile.h"
#include "sim/replica.h"
#include "sim/served_workload.h"
#include "sim/truth.h"

namespace spillway::sim {

namespace {

namespace json = boost::json;

struct Measure {
  const char* name;
  const Summary& real;
  const Summary& sim;
};

std::array<Measure, 3> measures_of(const Validation& v) {
  return {
      {{"ttft_ms", v.real.ttft_ms, v.sim.ttft_ms}, {"tpot_ms", v.real.tpot_ms, v.sim.tpot_ms}, {"e2e_ms", v.real.e2e_ms, v.sim.e2e_ms}}};
}

constexpr std::pair<const char*, double Summary::*> statistics[] = {
    {"mean", &Summary::mean}, {"p50", &Summary::p50}, {"p90", &Summary::p90}, {"p99", &Summary::p99}};

json::value number_or_null(double value) {
  return value == value ? json::value(value) : json::value(nullptr);
}

}  // namespace

core::Result<Validation> validate(const ValidateOptions& options) {
  const auto workload = read_served_workload(options.workload);
  if (!workload) return tl::make_unexpected(workload.error());
  const auto truth = read_truth(options.folder + "/vllm-requests.jsonl", *workload);
  if (!truth) return tl::make_unexpected(truth.error());
  const auto settings = read_engine_settings(options.folder, options.engine);
  if (!settings) return tl::make_unexpected(settings.error());
  const auto profile = read_profile(options.folder, options.layers);
  if (!profile) return tl::make_unexpected(profile.error());

  std::vector<core::Duration> arrivals;
  for (const auto& request : truth->requests) arrivals.push_back(request.queued);
  Replica replica(*settings, profile->costs);
  const auto outcome = replica.run(*workload, arrivals);
  if (!outcome) return tl::make_unexpected(outcome.error());

  std::vector<Latency> real;
  std::vector<Latency> sim;
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const auto tokens = workload->items[i].output_tokens;
    real.push_back({arrivals[i], truth->requests[i].first, truth->requests[i].last, tokens});
    sim.push_back({arrivals[i], outcome->requests[i].first, outcome->requests[i].last, tokens});
  }
  return Validation{.real = figures_of(real),
                    .sim = figures_of(sim),
                    .e2e_mape_percent = e2e_mape_percent(real, sim),
                    .preemptions = outcome->preemptions,
                    .steps = outcome->steps,
                    .doubts = truth->doubts};
}

std::string to_json(const Validation& validation) {
  json::object out;
  for (const auto& measure : measures_of(validation)) {
    json::object of_measure;
    for (const auto& [name, member] : statistics) {
      const double real = measure.real.*member;
      const double sim = measure.sim.*member;
      of_measure[name] = json::object{{"real", real}, {"sim", sim}, {"diff_percent", number_or_null(diff_percent(real, sim))}};
    }
    out[measure.name] = std::move(of_measure);
  }
  out["e2e_mape_percent"] = validation.e2e_mape_percent;
  out["preemptions"] = validation.preemptions;
  out["steps"] = validation.steps;
  return json::serialize(out);
}

std::string to_table(const Validation& validation) {
  std::ostringstream out;
  out << std::fixed << std::left << std::setw(9) << "" << std::right << std::setw(14) << "real" << std::setw(14) << "sim" << std::setw(10)
      << "diff %" << '\n';
  for (const auto& measure : measures_of(validation)) {
    for (const auto& [name, member] : statistics) {
      const double real = measure.real.*member;
      const double sim = measure.sim.*member;
      out << std::left << std::setw(9) << measure.name << std::setw(5) << name << std::right << std::setprecision(2) << std::setw(9) << real
          << std::setw(14) << sim << std::setw(10) << std::showpos << diff_percent(real, sim) << std::noshowpos << '\n';
    }
  }
  out << "e2e per request, mean absolute difference: " << validation.e2e_mape_percent << " %\n"
      << "simulated: " << validation.steps << " steps, " << validation.preemptions << " preemptions\n";
  return out.str();
}

}  // namespace spillway::sim
