// Keys of [[nodes]] and [[pools]]: a pool takes each key of a node as the template of its members.
#include <array>

#include "cluster-config/schema_bind.h"

namespace spillway::config {
namespace {

/// Where the node is and what it does; S is NodeEntry or PoolEntry.
template <class S>
constexpr auto place_keys() {
  return std::array{
      bind<S, &Node::port>({.name = "port",
                            .type = Type::count,
                            .unit = "(port number)",
                            .min = 1,
                            .max = 65'532,
                            .sentence = "Port of the control lane; the token lane, the bulk lane and clients have the next three.",
                            .example = "port = 7400"}),
      bind<S, &Node::bind>({.name = "bind",
                            .type = Type::address,
                            .min = 1,
                            .max = 255,
                            .default_words = "the address",
                            .sentence = "Where the node listens, if that is another address than others connect to.",
                            .example = "bind = \"0.0.0.0\""}),
      bind<S, &Node::roles>({.name = "roles",
                             .type = Type::choices,
                             .min = 1,
                             .max = 3,
                             .sentence = "What the node does; a worker has its cache-manager with it.",
                             .example = "roles = [\"router\", \"worker\"]",
                             .words = role_words}),
      bind<S, &Node::phases>({.name = "phases",
                              .type = Type::choices,
                              .min = 1,
                              .max = 2,
                              .sentence = "What the worker is used for: computing prompts, making answers, or both.",
                              .example = "phases = [\"prefill\", \"decode\"]",
                              .words = phase_words}),
      bind<S, &Node::zone>({.name = "zone",
                            .type = Type::name,
                            .min = 1,
                            .max = 63,
                            .default_words = "none",
                            .sentence = "Failure domain, such as a rack or a site; placement does not look at it yet.",
                            .example = "zone = \"studio-a\""}),
  };
}

/// What the worker of the node computes with; S as above.
template <class S>
constexpr auto worker_keys() {
  return std::array{
      bind<S, &Node::device>({.name = "device",
                              .type = Type::choice,
                              .sentence = "What computes the model.",
                              .example = "device = \"cpu\"",
                              .words = device_words}),
      bind<S, &Node::threads>({.name = "threads",
                               .type = Type::count,
                               .unit = "threads",
                               .min = 0,
                               .max = 1024,
                               .sentence = "Threads of each replica's model step; 0 = one for each physical core.",
                               .example = "threads = 4"}),
      bind<S, &Node::isa>({.name = "isa",
                           .type = Type::choice,
                           .sentence = "Instruction set of the kernels; auto = the machine's best.",
                           .example = "isa = \"avx2\"",
                           .words = isa_words}),
      bind<S, &Node::kv_memory_bytes>({.name = "kv_memory",
                                       .type = Type::size,
                                       .min = 1 * mib,
                                       .max = 16'384 * gib,
                                       .sentence = "Memory for the KV pages of each replica.",
                                       .example = "kv_memory = \"4GiB\""}),
      bind<S, &Node::kv_blocks>({.name = "kv_blocks",
                                 .type = Type::count,
                                 .unit = "blocks",
                                 .min = 0,
                                 .max = 16'777'216,
                                 .sentence = "KV blocks of 16 tokens of each replica; 0 = as many as kv_memory holds.",
                                 .example = "kv_blocks = 1024"}),
      bind<S, &Node::models>({.name = "models",
                              .type = Type::names,
                              .unit = "names",
                              .min = 1,
                              .max = models_max,
                              .default_words = "all models of the file",
                              .sentence = "Models that the worker serves.",
                              .example = "models = [\"smollm2-135m\"]"}),
      bind<S, &Node::replicas>({.name = "replicas",
                                .type = Type::count,
                                .unit = "replicas",
                                .min = 1,
                                .max = 16,
                                .sentence = "Replicas of each of these models.",
                                .example = "replicas = 1"}),
      bind<S, &Node::key_file>({.name = "key_file",
                                .type = Type::path,
                                .min = 1,
                                .max = 4096,
                                .default_words = "keys/NAME.key",
                                .sentence = "File with the node's own key pair (`spillway keys new`); only that node reads it.",
                                .example = "key_file = \"keys/left.key\""}),
  };
}

/// The lists one after another.
template <std::size_t... N>
constexpr auto joined(const std::array<KeySpec, N>&... lists) {
  std::array<KeySpec, (N + ...)> all{};
  std::size_t at = 0;
  ((std::copy(lists.begin(), lists.end(), all.begin() + at), at += N), ...);
  return all;
}

constexpr auto nodes = joined(
    std::array{
        bind<NodeEntry, &Node::name>({.name = "name",
                                      .type = Type::name,
                                      .min = 1,
                                      .max = 63,
                                      .required = true,
                                      .sentence = "Name of the node, unique in the cluster.",
                                      .example = "name = \"left\""}),
        bind<NodeEntry, &Node::address>({.name = "address",
                                         .type = Type::address,
                                         .min = 1,
                                         .max = 255,
                                         .sentence = "Address that the other nodes and clients connect to.",
                                         .example = "address = \"10.0.0.1\""}),
        bind<NodeEntry, &Node::public_key>({.name = "public_key",
                                            .type = Type::key,
                                            .min = 40,
                                            .max = 40,
                                            .default_words = "none; required where curve is on",
                                            .sentence = "CURVE public key of the node, as printed by `spillway keys new`.",
                                            .example = "public_key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\""}),
        bind<NodeEntry, &Node::start>(
            {.name = "start", .type = Type::boolean, .sentence = "Whether `spillway up` starts the node.", .example = "start = false"}),
    },
    place_keys<NodeEntry>(), worker_keys<NodeEntry>());

constexpr auto pools = joined(
    std::array{
        bind<PoolEntry, &Node::name>({.name = "name",
                                      .type = Type::pattern,
                                      .min = 1,
                                      .max = 63,
                                      .required = true,
                                      .sentence = "Names of the members: a range in brackets stands for its numbers.",
                                      .example = "name = \"edge-[1-16]\""}),
        bind<PoolEntry, &Node::address>({.name = "address",
                                         .type = Type::address,
                                         .min = 1,
                                         .max = 255,
                                         .sentence = "Address of the members; `{n}` stands for the member's number.",
                                         .example = "address = \"edge-{n}.studio.example\""}),
        bind<PoolEntry, &PoolEntry::public_keys>({.name = "public_keys",
                                                  .type = Type::keys,
                                                  .unit = "keys",
                                                  .min = 1,
                                                  .max = entries_max,
                                                  .default_words = "none; required where curve is on",
                                                  .sentence = "CURVE public keys of the members, in order.",
                                                  .example = "public_keys = [\"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\"]"}),
        bind<PoolEntry, &PoolEntry::port_step>({.name = "port_step",
                                                .type = Type::count,
                                                .unit = "ports",
                                                .min = 0,
                                                .max = 1000,
                                                .default_words = "10; 0 where the address holds `{n}`",
                                                .sentence = "Each member's port lies this far behind that of the member before it.",
                                                .example = "port_step = 10"}),
        bind<PoolEntry, &PoolEntry::start_count>(
            {.name = "start",
             .type = Type::count,
             .unit = "members",
             .min = 0,
             .max = entries_max,
             .default_words = "all members",
             .sentence = "How many members `spillway up` starts, the first ones; the others may join later.",
             .example = "start = 4"}),
    },
    place_keys<PoolEntry>(), worker_keys<PoolEntry>());

}  // namespace

std::span<const KeySpec> node_keys() {
  return nodes;
}
std::span<const KeySpec> pool_keys() {
  return pools;
}

}  // namespace spillway::config
