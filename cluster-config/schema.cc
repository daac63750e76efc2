#include "cluster-config/schema.h"

#include "cluster-config/schema_bind.h"
#include "cluster-config/units.h"
#include "core/assert.h"

namespace spillway::config {
namespace {

constexpr KeySpec top_keys[] = {
    bind<Top, &Top::version>({.name = "version",
                              .type = Type::count,
                              .unit = "",
                              .min = file_version,
                              .max = file_version,
                              .required = true,
                              .sentence = "Version of the file's format; the first key of the file.",
                              .example = "version = 1"}),
};

constexpr KeySpec cluster_keys[] = {
    bind<ClusterNames, &ClusterNames::name>(
        {.name = "name",
         .type = Type::name,
         .min = 1,
         .max = 63,
         .sentence = "Name of the cluster; on loopback without a secret the names of KV blocks are keyed by it.",
         .example = "name = \"studio\""}),
};

constexpr KeySpec security_keys[] = {
    bind<SecurityEntry, &SecurityEntry::curve_wish>(
        {.name = "curve",
         .type = Type::boolean,
         .default_words = "on where any address is off loopback",
         .sentence = "Encrypt all links and know everyone by key (CURVE); cannot be off beyond loopback.",
         .example = "curve = true"}),
    bind<SecurityEntry, &Security::secret>({.name = "secret",
                                            .type = Type::secret,
                                            .min = 64,
                                            .max = 64,
                                            .default_words = "none",
                                            .sentence = "Secret that keys the names of KV blocks; better kept in secret_file.",
                                            .example = "secret = \"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\""}),
    bind<SecurityEntry, &Security::secret_file>({.name = "secret_file",
                                                 .type = Type::path,
                                                 .min = 1,
                                                 .max = 4096,
                                                 .default_words = "none; required off loopback",
                                                 .sentence = "File with that secret (`spillway keys secret`), the same on each router.",
                                                 .example = "secret_file = \"keys/cluster.secret\""}),
};

/// Keys that clients and tokens share.
template <class S, auto Name, auto Tenants, auto Operator>
constexpr auto caller_keys() {
  return std::array{
      bind<S, Name>({.name = "name",
                     .type = Type::name,
                     .min = 1,
                     .max = 63,
                     .required = true,
                     .sentence = "Name of the caller, for logs and errors.",
                     .example = "name = \"captioner\""}),
      bind<S, Tenants>({.name = "tenants",
                        .type = Type::names,
                        .unit = "names",
                        .min = 1,
                        .max = entries_max,
                        .required = true,
                        .sentence = "Tenants in whose name the caller may ask.",
                        .example = "tenants = [\"newsroom\"]"}),
      bind<S, Operator>({.name = "operator",
                         .type = Type::boolean,
                         .sentence = "Whether the caller may use status, drain and move.",
                         .example = "operator = true"}),
  };
}
constexpr auto client_common = caller_keys<Client, &Client::name, &Client::tenants, &Client::operator_rights>();
constexpr auto token_common = caller_keys<Token, &Token::name, &Token::tenants, &Token::operator_rights>();

constexpr KeySpec client_keys[] = {
    client_common[0],
    bind<Client, &Client::public_key>({.name = "public_key",
                                       .type = Type::key,
                                       .min = 40,
                                       .max = 40,
                                       .required = true,
                                       .sentence = "CURVE public key of the client, as printed by `spillway keys new`.",
                                       .example = "public_key = \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\""}),
    client_common[1],
    client_common[2],
};

constexpr KeySpec token_keys[] = {
    token_common[0],
    bind<Token, &Token::token>({.name = "token",
                                .type = Type::text,
                                .unit = "characters",
                                .min = 16,
                                .max = 1024,
                                .default_words = "none",
                                .sentence = "Bearer secret of the caller; better kept in token_file.",
                                .example = "token = \"correct-horse-battery\""}),
    bind<Token, &Token::token_file>({.name = "token_file",
                                     .type = Type::path,
                                     .min = 1,
                                     .max = 4096,
                                     .default_words = "none",
                                     .sentence = "File whose first line is that secret.",
                                     .example = "token_file = \"keys/ops.token\""}),
    token_common[1],
    token_common[2],
};

constexpr KeySpec model_keys[] = {
    bind<ModelEntry, &Model::kind>({.name = "kind",
                                    .type = Type::choice,
                                    .sentence = "gguf = a real model; paced = a stand-in that sleeps by a cost table.",
                                    .example = "kind = \"paced\"",
                                    .words = kind_words}),
    bind<ModelEntry, &Model::known>({.name = "known",
                                     .type = Type::text,
                                     .unit = "characters",
                                     .min = 1,
                                     .max = 127,
                                     .default_words = "the model's name, unless path is set",
                                     .sentence = "A model that `spillway models pull` knows.",
                                     .example = "known = \"smollm2-135m\""}),
    bind<ModelEntry, &Model::path>({.name = "path",
                                    .type = Type::path,
                                    .min = 1,
                                    .max = 4096,
                                    .default_words = "none",
                                    .sentence = "GGUF file of the model.",
                                    .example = "path = \"models/story.gguf\""}),
    bind<ModelEntry, &Model::context_tokens>(
        {.name = "context",
         .type = Type::count,
         .unit = "tokens",
         .min = 0,
         .max = 1'048'576,
         .sentence = "Longest prompt and answer together; 0 = what the model was made for (paced: 8192).",
         .example = "context = 4096"}),
    bind<ModelEntry, &Model::page_format>({.name = "page_format",
                                           .type = Type::choice,
                                           .sentence = "How KV values are stored: raw32 = float32, raw16 = float16.",
                                           .example = "page_format = \"raw16\"",
                                           .words = format_words}),
};

template <auto Member>
constexpr KeySpec cost(std::string_view name, std::string_view sentence, std::string_view example) {
  return bind<PacedCosts, Member>(
      {.name = name, .type = Type::count, .unit = "microseconds", .min = 0, .max = 10'000'000, .sentence = sentence, .example = example});
}

constexpr KeySpec paced_keys[] = {
    cost<&PacedCosts::step_us>("step_us", "Time of a step before any row.", "step_us = 20000"),
    cost<&PacedCosts::prefill_token_us>("prefill_token_us", "Time of each prompt token in a step.", "prefill_token_us = 20"),
    cost<&PacedCosts::decode_token_us>("decode_token_us", "Time of each generated token in a step.", "decode_token_us = 50"),
    cost<&PacedCosts::context_us_per_1k>("context_us_per_1k", "Time for each 1,000 tokens that a step attends to.",
                                         "context_us_per_1k = 100"),
    bind<PacedCosts, &PacedCosts::page_bytes>({.name = "page_bytes",
                                               .type = Type::size,
                                               .min = 256,
                                               .max = 64 * mib,
                                               .sentence = "Bytes of the page of one block of 16 tokens; a multiple of 16.",
                                               .example = "page_bytes = \"64KiB\""}),
    bind<PacedCosts, &PacedCosts::vocabulary>({.name = "vocabulary",
                                               .type = Type::count,
                                               .unit = "tokens",
                                               .min = 256,
                                               .max = 1'000'000,
                                               .sentence = "Size of the vocabulary that tokens are drawn from.",
                                               .example = "vocabulary = 32000"}),
};

constexpr KeySpec class_keys[] = {
    bind<ClassRules, &ClassRules::queue_requests_max>(
        {.name = "queue_requests_max",
         .type = Type::count,
         .unit = "requests",
         .min = 1,
         .max = 1'000'000,
         .default_words = "1024; batch 4096",
         .sentence = "Places that the class adds to the waiting room of a router, which all classes share; beyond it requests are refused.",
         .example = "queue_requests_max = 256"}),
    bind<ClassRules, &ClassRules::tpot>({.name = "tpot",
                                         .type = Type::duration,
                                         .min = 0,
                                         .max = 60 * s,
                                         .default_words = "none",
                                         .sentence =
                                             "Time per output token that the class is promised: while a stream of it generates, prompts "
                                             "take no more of a step than that leaves, but at least an eighth.",
                                         .example = "tpot = \"60ms\""}),
};

constexpr KeySpec tenant_keys[] = {
    bind<TenantEntry, &Tenant::secret>({.name = "secret",
                                        .type = Type::secret,
                                        .min = 64,
                                        .max = 64,
                                        .default_words = "derived from the cluster's secret",
                                        .sentence = "Own secret of the tenant, which keys the names of its KV blocks.",
                                        .example = "secret = \"1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100\""}),
    bind<TenantEntry, &Tenant::classes>({.name = "classes",
                                         .type = Type::choices,
                                         .min = 1,
                                         .max = 3,
                                         .sentence = "Service classes that the tenant may ask for.",
                                         .example = "classes = [\"live\", \"interactive\"]",
                                         .words = class_words}),
    bind<TenantEntry, &Tenant::tokens_per_second>(
        {.name = "tokens_per_second",
         .type = Type::count,
         .unit = "tokens",
         .min = 0,
         .max = 1'000'000'000,
         .sentence = "Tokens (prompt and allowed answer) that the tenant may ask for each second; 0 = no limit.",
         .example = "tokens_per_second = 20000"}),
    bind<TenantEntry, &Tenant::burst_tokens>({.name = "burst_tokens",
                                              .type = Type::count,
                                              .unit = "tokens",
                                              .min = 0,
                                              .max = 1'000'000'000,
                                              .sentence = "Tokens that it may ask for at once after a rest; 0 = ten seconds' worth.",
                                              .example = "burst_tokens = 100000"}),
    bind<TenantEntry, &Tenant::ladder>(
        {.name = "ladder",
         .type = Type::rungs,
         .unit = "rungs",
         .min = 0,
         .max = 3,
         .default_words = "none",
         .sentence = "What is done, one rung on top of the other, instead of refusing a request of the tenant.",
         .example = "ladder = [\"shorter:64\", \"model:smollm2-135m\", \"defer:5s\"]"}),
    bind<TenantEntry, &Tenant::ladder_saturation_percent>(
        {.name = "ladder_saturation_percent",
         .type = Type::count,
         .unit = "percent",
         .min = 1,
         .max = 100'000,
         .sentence = "Load of the model's replicas (mean of queue / 5 or KV use / 0.8) from which the first rung is taken.",
         .example = "ladder_saturation_percent = 100"}),
    bind<TenantEntry, &Tenant::ladder_saturation_step_percent>({.name = "ladder_saturation_step_percent",
                                                                .type = Type::count,
                                                                .unit = "percent",
                                                                .min = 0,
                                                                .max = 100'000,
                                                                .sentence = "Load on top of that from which each further rung is taken.",
                                                                .example = "ladder_saturation_step_percent = 25"}),
    bind<TenantEntry, &Tenant::weight>({.name = "weight",
                                        .type = Type::count,
                                        .unit = "shares",
                                        .min = 1,
                                        .max = 1000,
                                        .sentence = "Share of a replica's work among tenants whose requests wait in one class.",
                                        .example = "weight = 2"}),
};

// Fresh targets, whose members are the defaults that the reference shows.
const Top top_defaults{};
const ClusterNames names_defaults{};
const SecurityEntry security_defaults{};
const Client client_defaults{};
const Token token_defaults{};
const ModelEntry model_defaults{};
const PacedCosts paced_defaults{};
const NodeEntry node_defaults{};
const PoolEntry pool_defaults{};
const ClassRules class_defaults{};
const TenantEntry tenant_defaults{};
const Limits limit_defaults{};
const Batching batching_defaults{};
const Timings timing_defaults{};
const Spill spill_defaults{};
const Disaggregation disaggregation_defaults{};
const Placement placement_defaults{};
const CacheAware cache_aware_defaults{};
const Dynamo dynamo_defaults{};
const Preble preble_defaults{};

std::span<const Section> all_sections() {
  static const Section list[] = {
      {"", "The file begins with its version.", top_keys, &top_defaults},
      {"cluster", "The cluster as a whole.", cluster_keys, &names_defaults},
      {"models.*", "A model that clients ask for by this name.", model_keys, &model_defaults},
      {"models.*.paced", "Cost table of a paced model.", paced_keys, &paced_defaults},
      {"nodes[]", "One process on one machine.", node_keys(), &node_defaults},
      {"pools[]", "A range of nodes with one template; members may be absent.", pool_keys(), &pool_defaults},
      {"classes.*", "Rules of a service class: live, interactive or batch.", class_keys, &class_defaults},
      {"tenants.*", "A tenant; without any there is one called default.", tenant_keys, &tenant_defaults},
      {"security", "Who may speak to the cluster.", security_keys, &security_defaults},
      {"security.clients[]", "A client known by its key.", client_keys, &client_defaults},
      {"security.tokens[]", "A client known by a bearer secret.", token_keys, &token_defaults},
      {"limits", "Bounds of every queue, table and loop.", limit_keys(), &limit_defaults},
      {"batching", "How each replica fills its steps and its pool of KV blocks.", batching_keys(), &batching_defaults},
      {"timings", "Intervals and time-outs.", timing_keys(), &timing_defaults},
      {"spill", "When a full node hands streams to another, and by what it is judged.", spill_keys(), &spill_defaults},
      {"disaggregation", "What goes to nodes that only compute prompts, or only make answers.", disaggregation_keys(),
       &disaggregation_defaults},
      {"placement", "How a router chooses the replica of a request.", placement_keys(), &placement_defaults},
      {"placement.cache_aware", "The policy of SGLang's gateway.", cache_aware_keys(), &cache_aware_defaults},
      {"placement.dynamo", "The policy of NVIDIA Dynamo's router.", dynamo_keys(), &dynamo_defaults},
      {"placement.preble", "Preble's policy E2.", preble_keys(), &preble_defaults},
  };
  return list;
}

std::string number_text(Type type, std::uint64_t number) {
  switch (type) {
    case Type::size: return format_size(number);
    case Type::duration: return format_duration(number);
    case Type::bandwidth: return number == 0 ? "0" : format_bandwidth(number);
    default: return std::to_string(number);
  }
}

std::string joined(std::span<const std::string_view> words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? std::string{last} : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace

std::span<const Section> sections() {
  return all_sections();
}

const Section& section(std::string_view pattern) {
  for (const auto& each : sections()) {
    if (each.pattern == pattern) return each;
  }
  core::assertion_failed("a section of this pattern", __FILE__, __LINE__);
}

std::vector<std::string_view> inner_tables(std::string_view pattern) {
  std::vector<std::string_view> out;
  for (const auto& each : sections()) {
    auto rest = each.pattern;
    if (!pattern.empty()) {
      if (!rest.starts_with(pattern) || rest.size() == pattern.size() || rest[pattern.size()] != '.') continue;
      rest.remove_prefix(pattern.size() + 1);
    }
    rest = rest.substr(0, rest.find_first_of(".["));
    if (!rest.empty() && std::find(out.begin(), out.end(), rest) == out.end()) out.push_back(rest);
  }
  return out;
}

std::string wish(const KeySpec& key) {
  const auto range = number_text(key.type, key.min) + " to " + number_text(key.type, key.max);
  const auto unit = key.unit.empty() ? std::string{} : " " + std::string{key.unit};
  switch (key.type) {
    case Type::boolean: return "true or false";
    case Type::count: return key.min == key.max ? std::to_string(key.min) : "a whole number from " + range + unit;
    case Type::size: return "a size from " + range;
    case Type::duration: return "a duration from " + range;
    case Type::bandwidth: return "a bandwidth from " + range;
    case Type::choice: return joined(key.words, " or ");
    case Type::choices: return "a list of " + joined(key.words, " and ");
    case Type::text: return "a text of " + range + " characters";
    case Type::name: return "a name of " + range + " letters, digits and . _ - behind a letter or digit";
    case Type::pattern: return "a name with one range in brackets, such as edge-[1-16]";
    case Type::address: return "an IPv4 address, an IPv6 address in brackets or a host name";
    case Type::path: return "a path, relative to the folder of this file";
    case Type::key: return "a CURVE public key, 40 characters of Z85";
    case Type::secret: return "64 hex digits";
    case Type::names: return "a list of " + range + " names, none twice";
    case Type::keys: return "a list of " + range + " CURVE public keys, none twice";
    case Type::rungs: return "a list of " + range + " rungs, each kind once: shorter:TOKENS, model:NAME, defer:TIME";
  }
  return {};
}

std::string default_text(const Section& section, const KeySpec& key) {
  if (key.required) return {};
  if (!key.default_words.empty()) return std::string{key.default_words};
  const auto value = key.get(section.defaults);
  switch (key.type) {
    case Type::boolean: return value.number != 0 ? "true" : "false";
    case Type::count: return std::to_string(value.number);
    case Type::size:
    case Type::duration:
    case Type::bandwidth: {
      const auto text = number_text(key.type, value.number);
      return text == "0" ? text : '"' + text + '"';
    }
    case Type::choice: return '"' + std::string{key.words[value.number]} + '"';
    case Type::choices: {
      std::string out;
      for (std::size_t i = 0; i < key.words.size(); ++i) {
        if ((value.number >> i & 1U) == 0) continue;
        out += (out.empty() ? "[\"" : ", \"") + std::string{key.words[i]} + '"';
      }
      return out + "]";
    }
    default: return '"' + value.text + '"';
  }
}

}  // namespace spillway::config
