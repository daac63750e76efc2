// Two actors on CAF's scheduler. `planted`: their handlers write one variable without a lock, and ThreadSanitizer must say so
// under the shipped suppressions. `clean`: the same traffic with nothing shared; it must stay silent.
#include <caf/all.hpp>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

constexpr int messages = 300;
int planted_counter = 0;

struct CounterState {
  int own = 0;
  caf::actor partner;
};

caf::behavior counter(caf::stateful_actor<CounterState>* self, bool planted) {
  return {
      [self](const caf::actor& partner) { self->state.partner = partner; },
      [self, planted](const std::string& text) {
        if (planted) ++planted_counter;
        else ++self->state.own;
        // Text goes to and fro, so that memory of one thread is freed by the other.
        if (text.size() < 64) self->send(self->state.partner, text + "x");
      },
  };
}

}  // namespace

int main(int argc, char** argv) {
  const bool planted = argc > 1 && std::strcmp(argv[1], "planted") == 0;
  caf::actor_system_config config;
  config.set("scheduler.policy", caf::atom("sharing"));
  config.set("scheduler.max-threads", 2);
  caf::actor_system system(config);
  {
    const caf::actor left = system.spawn(counter, planted);
    const caf::actor right = system.spawn(counter, planted);
    caf::anon_send(left, right);
    caf::anon_send(right, left);
    for (int i = 0; i < messages; ++i) {
      caf::anon_send(left, std::string("a message that needs the heap"));
      caf::anon_send(right, std::string("a message that needs the heap"));
    }
    caf::anon_send_exit(left, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(right, caf::exit_reason::user_shutdown);
  }
  system.await_all_actors_done();
  std::puts("done");
  return 0;
}
