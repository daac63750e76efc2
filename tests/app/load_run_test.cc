#include "app/load_run.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

namespace spillway::app {
namespace {

namespace bdata = boost::unit_test::data;
using sim::RequestOutcome;

struct OutcomeCase {
  const char* name;
  sdk::Code code;  // ok: `finish`
  const char* finish;
  bool in_channel;
  bool cancelled_here;
  RequestOutcome want;
  friend std::ostream& operator<<(std::ostream& out, const OutcomeCase& c) { return out << c.name; }
};

const OutcomeCase outcome_cases[] = {
    {"an end token finishes", sdk::Code::ok, "stop", false, false, RequestOutcome::finished},
    {"so does the wished length", sdk::Code::ok, "length", true, true, RequestOutcome::finished},
    {"a deadline that passed", sdk::Code::ok, "deadline", true, false, RequestOutcome::expired},
    {"an error of the node", sdk::Code::ok, "error", false, false, RequestOutcome::failed},
    {"no word of the end", sdk::Code::ok, "", false, false, RequestOutcome::failed},
    {"cancelled by a newer caption", sdk::Code::ok, "cancelled", true, false, RequestOutcome::superseded},
    {"cancelled by the user", sdk::Code::ok, "cancelled", true, true, RequestOutcome::cancelled},
    {"cancelled outside a channel", sdk::Code::ok, "cancelled", false, false, RequestOutcome::cancelled},
    {"a full queue refuses", sdk::Code::queue_full, "", false, false, RequestOutcome::refused},
    {"a deadline that cannot be met refuses", sdk::Code::deadline_infeasible, "", false, false, RequestOutcome::refused},
    {"more blocks than any node has refuses", sdk::Code::no_capacity, "", false, false, RequestOutcome::refused},
    {"nobody there is a failure", sdk::Code::unavailable, "", false, false, RequestOutcome::failed},
    {"a timeout is a failure", sdk::Code::timeout, "", false, false, RequestOutcome::failed},
    {"the client was destroyed", sdk::Code::cancelled, "", true, false, RequestOutcome::cancelled},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(load_run)

BOOST_DATA_TEST_CASE(outcomes, bdata::make(outcome_cases), c) {
  sdk::Completion done;
  done.choices.emplace_back().finish_reason = c.finish;
  const auto heard =
      c.code == sdk::Code::ok ? sdk::Result<sdk::Completion>(done) : sdk::Result<sdk::Completion>(sdk::Error{c.code, "", {}});
  BOOST_TEST((outcome_of(heard, c.in_channel, c.cancelled_here) == c.want));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
