// Two actors on CAF's scheduler, spawned as ours are. `planted`: their handlers write one variable without a lock, and
// ThreadSanitizer must say so under the shipped suppressions. `clean`: the same traffic with nothing shared; it must stay silent.
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "actors/caf_compat.h"

struct Partner;
struct Text {
  std::string text;                         // freed by the thread of the receiver
  std::shared_ptr<const std::string> more;  // freed by whoever is last
};
struct Later {
  std::string text;  // kept by the clock's thread for a while
};
using Counter =
    spillway::actors::Interface<spillway::actors::Takes<Partner>, spillway::actors::Takes<Text>, spillway::actors::Takes<Later>>;
struct Partner {
  Counter actor;
};

CAF_BEGIN_TYPE_ID_BLOCK(race, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(race, (Partner))
CAF_ADD_TYPE_ID(race, (Text))
CAF_ADD_TYPE_ID(race, (Later))
CAF_END_TYPE_ID_BLOCK(race)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(Partner)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(Text)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(Later)

namespace {

using spillway::actors::state;
using spillway::actors::tell;

constexpr int messages = 300;
int planted_counter = 0;

struct Setup {
  std::string name;
  bool planted = false;
};
struct CounterState {
  Setup setup;
  std::string last;
  Counter partner;
};
using Self = Counter::stateful_pointer<CounterState>;

Counter::behavior_type counter(Self self, Setup setup) {
  state(self).setup = std::move(setup);
  return {
      [self](const Partner& partner) { state(self).partner = partner.actor; },
      [self](const Text& in) {
        auto& own = state(self);
        if (own.setup.planted) ++planted_counter;
        own.last = own.setup.name + in.text;
        if (in.text.size() < 64) tell(self, own.partner, Text{in.text + "x", in.more});
        spillway::actors::tell_after(self, std::chrono::milliseconds(1), self, Later{in.text});
      },
      [self](const Later& later) { state(self).last += later.text; },
  };
}

struct Config : caf::actor_system_config {
  Config() {
    spillway::actors::register_types<caf::id_block::race>(*this);
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", static_cast<std::size_t>(2));
  }
};

}  // namespace

int main(int argc, char** argv) {
  const bool planted = argc > 1 && std::strcmp(argv[1], "planted") == 0;
  Config config;
  caf::actor_system system(config);
  {
    using spillway::actors::spawn;
    using spillway::actors::tell_anon;
    const Counter left = spawn(system, counter, Setup{"an actor on the scheduler's threads: ", planted});
    const Counter right = spawn<caf::detached>(system, counter, Setup{"an actor with a thread of its own: ", planted});
    tell_anon(left, Partner{right});
    tell_anon(right, Partner{left});
    const auto more = std::make_shared<const std::string>("shared by all messages, and read-only");
    for (int i = 0; i < messages; ++i) {
      tell_anon(left, Text{"a message that needs the heap", more});
      tell_anon(right, Text{"a message that needs the heap", more});
    }
    spillway::actors::tell_exit(left);
    spillway::actors::tell_exit(right);
  }
  system.await_all_actors_done();
  std::puts("done");
  return 0;
}
