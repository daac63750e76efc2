#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/ladder.h"
#include "core/page.h"
#include "core/placement_policy.h"
#include "core/request.h"
#include "core/time.h"

/// The cluster file as plain checked structs. Every field's default here is the default of the key in the file; sentence, unit
/// and range of each key stand in schema.cc, the one table that parsing, checking and `spillway config reference` share.
/// A Cluster that load.h returned is consistent: names are unique, references resolve, ports do not collide.
namespace spillway::config {

/// What a node does. A worker always has its cache-manager beside it, so that is no role of its own.
enum class Role : std::uint8_t { router = 0, worker = 1, gateway = 2 };
enum class ModelKind : std::uint8_t { gguf = 0, paced = 1 };
enum class Device : std::uint8_t { cpu = 0 };
/// `automatic` = the best instruction set of the machine.
enum class Isa : std::uint8_t { automatic = 0, scalar = 1, avx2 = 2, avx512 = 3 };

/// What a node computes.
enum class Phase : std::uint8_t { prefill = 0, decode = 1 };

/// When a replica lets a waiting request begin (sched/batcher_core.h says what each does).
enum class Admission : std::uint8_t { prompt = 0, growth = 1, past_future = 2 };

std::string_view to_string(Role value);
std::string_view to_string(ModelKind value);
std::string_view to_string(Device value);
/// "auto", "scalar", "avx2", "avx512".
std::string_view to_string(Isa value);

/// A set of values of a small enum.
template <class E>
struct EnumSet {
  std::uint32_t bits = 0;
  constexpr EnumSet() = default;
  constexpr EnumSet(std::initializer_list<E> values) {
    for (const auto value : values) add(value);
  }
  constexpr void add(E value) { bits |= 1U << static_cast<unsigned>(value); }
  constexpr bool has(E value) const { return (bits >> static_cast<unsigned>(value) & 1U) != 0; }
  constexpr bool empty() const { return bits == 0; }
  friend bool operator==(const EnumSet&, const EnumSet&) = default;
};
using RoleSet = EnumSet<Role>;
using PhaseSet = EnumSet<Phase>;
using ClassSet = EnumSet<core::ServiceClass>;

/// Costs of a step of the paced worker: step_us + rows * (prefill_token_us | decode_token_us) + attended tokens / 1000 *
/// context_us_per_1k, all in microseconds.
struct PacedCosts {
  std::uint32_t step_us = 20'000;
  std::uint32_t prefill_token_us = 20;
  std::uint32_t decode_token_us = 50;
  std::uint32_t context_us_per_1k = 0;
  std::uint64_t page_bytes = 4096;  ///< bytes of the page of one block of 16 tokens
  std::uint32_t vocabulary = 32'000;
};

struct Model {
  std::string name;  ///< what clients ask for; unique
  core::ModelId id;  ///< core::model_id(name)
  ModelKind kind = ModelKind::gguf;
  std::string known;                 ///< a name of `spillway models list`; empty when `path` is set or the model is paced
  std::filesystem::path path;        ///< GGUF file, absolute or relative to the working directory; empty when `known` is set
  std::uint32_t context_tokens = 0;  ///< longest prompt + answer; 0 = what the file says (paced: 8192)
  core::PageFormat page_format = core::PageFormat::raw16;
  PacedCosts paced;  ///< used when kind == paced
};

/// TCP ports of one node, each on `Node::address`.
struct Ports {
  std::uint16_t control = 0;
  std::uint16_t token = 0;
  std::uint16_t bulk = 0;
  std::uint16_t client = 0;
  friend bool operator==(const Ports&, const Ports&) = default;
};

struct Node {
  std::string name;
  core::NodeId id;                    ///< core::node_id(name)
  std::string address = "127.0.0.1";  ///< IPv4, IPv6 in brackets, or a host name; what others connect to
  std::string bind;                   ///< where the node itself listens; empty = `address` (behind NAT or a service: "0.0.0.0")
  std::uint16_t port = 7400;          ///< control lane; token, bulk and client are the next three
  Ports ports;                        ///< port + 0..3
  RoleSet roles{Role::router, Role::worker};
  PhaseSet phases{Phase::prefill, Phase::decode};
  std::string zone;  ///< failure domain; empty = none
  Device device = Device::cpu;
  std::uint32_t threads = 0;  ///< of each replica's model step; 0 = physical cores
  Isa isa = Isa::automatic;
  std::uint64_t kv_memory_bytes = 512ULL << 20;  ///< of each replica; ignored when kv_blocks > 0
  std::uint32_t kv_blocks = 0;                   ///< of each replica; 0 = as many as kv_memory_bytes hold
  std::vector<std::string> models;               ///< names in Cluster::models; the file's default: all. Empty only without the role worker
  std::uint32_t replicas = 1;                    ///< replicas of each of these models
  std::string public_key;                        ///< CURVE, 40 characters of Z85; empty when Cluster::security.curve is off
  std::filesystem::path key_file;                ///< the node's own key pair (secrets.h); only that node reads it
  std::string pool;                              ///< name pattern of the pool it comes from; empty for a node of its own
  bool elastic = false;                          ///< pool member: may be absent at run time without being counted as lost
  bool start = true;                             ///< `spillway up` starts it

  bool has(Role role) const { return roles.has(role); }
};

/// A range of names with one template; the members are in Cluster::nodes.
struct Pool {
  std::string pattern;      ///< "edge-[1-16]"
  std::uint32_t first = 0;  ///< first number of the range
  std::uint32_t last = 0;
  std::vector<core::NodeId> members;  ///< in order of the number
};

/// Who may call, as which tenants.
struct Client {
  std::string name;
  std::string public_key;            ///< CURVE, Z85
  std::vector<std::string> tenants;  ///< at least one
  bool operator_rights = false;      ///< may status, drain, move
};

/// A bearer secret instead of a key.
struct Token {
  std::string name;
  std::string token;  ///< at least 16 characters; empty when it lies in token_file
  std::filesystem::path token_file;
  std::vector<std::string> tenants;
  bool operator_rights = false;
};

struct Security {
  bool curve = false;                 ///< links and clients are encrypted and authenticated; always on off loopback
  std::string secret;                 ///< cluster secret, 64 hex digits; use cluster_secret() of secrets.h
  std::filesystem::path secret_file;  ///< a file that holds it
  std::vector<Client> clients;
  std::vector<Token> tokens;
};

struct ClassRules {
  std::uint32_t queue_requests_max = 1024;  ///< places it adds to the waiting room of a router, which all classes share
  core::Duration tpot{0};                   ///< promised time per output token; 0 = none
};

struct Tenant {
  std::string name;
  core::TenantId id;   ///< core::tenant_id(name)
  std::string secret;  ///< 64 hex digits; empty = derived from the cluster's; use tenant_secret() of secrets.h
  ClassSet classes{core::ServiceClass::live, core::ServiceClass::interactive, core::ServiceClass::batch};
  std::uint32_t tokens_per_second = 0;                ///< of its token bucket, input and allowed output; 0 = no bucket
  std::uint32_t burst_tokens = 0;                     ///< what the bucket holds; 0 = ten seconds of it
  std::vector<std::string> ladder;                    ///< as in the file
  std::vector<core::Rung> rungs;                      ///< the same, read
  std::uint32_t ladder_saturation_percent = 100;      ///< saturation from which the first rung is taken whatever else
  std::uint32_t ladder_saturation_step_percent = 25;  ///< and each further one, so much above the one before
  std::uint32_t weight = 1;                           ///< its share among tenants whose requests wait in one class at a replica
};

/// How each replica fills its steps and its pool.
struct Batching {
  Admission admission = Admission::growth;
  std::uint32_t growth_blocks = 1;             ///< kept for each choice of a request before it begins; admission growth
  std::uint32_t reserve_blocks = 0;            ///< kept for those that run before another begins
  std::uint32_t answer_quantile_percent = 50;  ///< how long an answer is taken to be among the recent ones; admission past_future
  std::uint32_t input_token_cost = 1;          ///< what a token costs its tenant
  std::uint32_t output_token_cost = 2;
};

/// Bounds of every queue, table and loop.
struct Limits {
  std::uint32_t step_tokens_max = 512;               ///< token budget of one model step
  std::uint32_t sequences_max = 256;                 ///< running choices of one replica
  std::uint32_t queue_requests_max = 1024;           ///< waiting requests of one replica
  std::uint32_t prompt_tokens_max = 131'072;         ///< of one request
  std::uint32_t output_tokens_max = 65'536;          ///< of one choice
  std::uint32_t choices_max = 16;                    ///< n of one request
  std::uint32_t stop_strings_max = 16;               ///< of one request
  std::uint32_t stop_string_bytes_max = 1024;        ///< of one stop string
  std::uint32_t logprobs_max = 20;                   ///< K of one request
  std::uint32_t streams_per_router_max = 4096;       ///< admitted and not finished
  std::uint32_t tenant_streams_max = 4096;           ///< of one tenant at one router
  std::uint32_t clients_max = 1024;                  ///< connected to one node
  std::uint64_t frame_bytes_max = 256ULL << 10;      ///< one frame of the bulk lane
  std::uint64_t message_bytes_max = 4ULL << 20;      ///< one message of the control and token lanes
  std::uint64_t credit_bytes = 8ULL << 20;           ///< bulk bytes in flight on one link before the receiver has consumed
  std::uint32_t link_resend_messages_max = 4096;     ///< kept for resending on one lane of one link; more resets the link
  std::uint64_t bulk_bandwidth_max_bytes_per_s = 0;  ///< of one node's sends; 0 = unlimited
  std::uint32_t move_concurrent_max = 4;             ///< moves at once on one link
  std::uint32_t transfers_max = 64;                  ///< exports and imports at once on one node
  std::uint32_t operations_max = 256;                ///< status requests, drains, moves that wait at one router, of each kind
};

/// Intervals and time-outs.
struct Timings {
  core::Duration report_interval{std::chrono::milliseconds{100}};
  core::Duration heartbeat_interval{std::chrono::milliseconds{100}};
  core::Duration suspect_after{std::chrono::milliseconds{300}};  ///< silence; a suspect gets no new work
  core::Duration dead_after{std::chrono::milliseconds{600}};     ///< silence; a dead node's streams are Run elsewhere
  core::Duration resend_after{std::chrono::milliseconds{50}};    ///< an unacknowledged message is sent again
  core::Duration client_ping_interval{std::chrono::milliseconds{250}};
  core::Duration client_silence_max{std::chrono::seconds{5}};         ///< a silent client's streams are cancelled
  core::Duration lease{std::chrono::seconds{2}};                      ///< reservations and pins of a transfer
  core::Duration ask_owner_interval{std::chrono::milliseconds{200}};  ///< how often a frozen source asks
  core::Duration class_ageing{std::chrono::seconds{10}};              ///< a waiting request climbs one class per this much
  core::Duration restart_backoff_min{std::chrono::milliseconds{200}};
  core::Duration restart_backoff_max{std::chrono::seconds{10}};
  core::Duration stop_after{std::chrono::seconds{4}};  ///< an orderly stop that takes longer is forced
};

/// When a full node hands streams to another, and by what it is judged (sched/move_planner.h).
struct Spill {
  bool enabled = true;
  std::uint32_t free_low_percent = 10;
  std::uint32_t free_high_percent = 30;
  core::Duration exhaustion{std::chrono::seconds{2}};
  core::Duration queue_wait{std::chrono::seconds{1}};
  std::uint32_t crowd_percent = 150;
  core::Duration margin{std::chrono::milliseconds{50}};
  std::uint32_t moves_per_stream_max = 2;
  core::Duration cool_down{std::chrono::seconds{5}};
  std::uint32_t leaving_max = 4;
  std::uint32_t arriving_max = 4;
  std::uint32_t given_back_max = 16;
  std::uint32_t horizon_tokens = 128;
  core::Duration downtime{std::chrono::milliseconds{20}};
  std::uint64_t bandwidth_bytes_per_s = 100'000'000;
  std::uint32_t interference_percent = 10;
  core::Duration interval{std::chrono::milliseconds{200}};
  core::Duration hold{0};  ///< a stream that would be preempted waits so long for a move at most; 0 = never
};

/// How an answer's node is chosen among those that make answers (sched/pools.h says what each does).
enum class DecodeChoice : std::uint8_t { least_tpot = 0, pack = 1 };

/// What goes to nodes of one phase; without such nodes nothing changes.
struct Disaggregation {
  std::uint32_t prompt_tokens_min = 512;
  DecodeChoice decode_choice = DecodeChoice::least_tpot;
  std::uint32_t tpot_percent = 85;
};

/// Of the policy cache_aware.
struct CacheAware {
  std::uint32_t imbalance_requests = 32;
  std::uint32_t imbalance_percent = 110;
  std::uint32_t match_percent = 50;
  std::uint32_t kv_spread_percent = 100;
  std::uint32_t kv_use_percent = 100;
};

/// Of the policy dynamo.
struct Dynamo {
  std::uint32_t overlap_percent = 100;
  std::uint32_t credit_percent = 100;
  std::uint32_t decay_percent = 0;
  std::uint32_t request_percent = 0;
};

/// Of the policy preble.
struct Preble {
  core::Duration window{std::chrono::minutes{3}};
  std::uint32_t rebalance_percent = 150;
};

/// How a router chooses the replica of a request.
struct Placement {
  core::PlacementPolicy policy = core::PlacementPolicy::additive;
  bool explain = false;
  std::uint32_t sample_above = 64;
  std::uint32_t sample = 8;
  std::uint32_t prefix_weight_percent = 100;
  std::uint32_t decode_steps = 16;
  CacheAware cache_aware;
  Dynamo dynamo;
  Preble preble;
};

struct Cluster {
  std::string name = "spillway";
  std::filesystem::path file;  ///< where it was read from; empty for an embedded cluster
  Security security;
  std::map<std::string, Model> models;  ///< by name
  std::vector<Node> nodes;              ///< in order of the file, pool members after the nodes of their own
  std::vector<Pool> pools;
  ClassRules live{1024};
  ClassRules interactive{1024};
  ClassRules batch{4096};
  std::map<std::string, Tenant> tenants;  ///< by name; never empty: without any in the file, one called "default"
  Limits limits;
  Batching batching;
  Timings timings;
  Spill spill;
  Disaggregation disaggregation;
  Placement placement;

  const Node* node(std::string_view node_name) const;
  const Node* node(core::NodeId id) const;
  const Model* model(core::ModelId id) const;
  const Tenant* tenant(core::TenantId id) const;
  const ClassRules& rules(core::ServiceClass service_class) const;
};

/// The cluster of `--model FILE`: one node called "embedded" with the roles router and worker and one replica of `model`,
/// no sockets needed, all limits at their defaults. `model.name` and one of `known` and `path` are set by the caller.
Cluster embedded_cluster(Model model, std::uint32_t threads);

}  // namespace spillway::config
