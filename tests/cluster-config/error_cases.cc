#include "tests/cluster-config/error_cases.h"

#include <ostream>

namespace spillway::config {
namespace {

using K = ErrorKind;

std::vector<ErrorCase> file_cases() {
  const std::string node = "[models.m]\n[[nodes]]\nname = \"a\"\n";
  return {
      {"a syntax error names its line", small_cluster("name = = 3\n"), K::syntax, "", 5, "want TOML"},
      {"a key given twice is a syntax error", small_cluster("name = \"b\"\n"), K::syntax, "", 5, "want TOML"},
      {"bytes that are no UTF-8 are a syntax error", small_cluster("zone = \"\xff\"\n"), K::syntax, "", 5, "want TOML"},
      {"a key of many parts is refused before it is parsed", small_cluster("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = 1\n"), K::too_deep, "", 5,
       "16"},
      {"many brackets are refused before they are parsed", small_cluster("x = [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n"), K::too_deep, "", 5,
       "16"},
      {"without version the file is refused", node, K::missing_version, "version", 1, "begin the file with `version = 1`"},
      {"version stands first", "cluster.name = \"c\"\nversion = 1\n" + node, K::version_not_first, "version", 2, "before all other keys"},
      {"an unknown version is refused and nothing else said", "version = 2\nnonsense = true\n", K::unknown_version, "version", 1, "want 1"},
      {"a version that is no number is refused", "version = \"1\"\n" + node, K::wrong_type, "version", 1, "want 1"},
      {"an empty list of nodes is none", "version = 1\nnodes = []\n[models.m]\n", K::missing_nodes, "nodes", 2, "[[nodes]]"},
      {"nodes of the wrong type are not missing too", "version = 1\nnodes = 3\n[models.m]\n", K::wrong_type, "nodes", 2, "[[nodes]]"},
      {"a pool without a range is not missing nodes too", "version = 1\n[models.m]\n[[pools]]\nname = \"e\"\n", K::bad_pool,
       "pools[0].name", 4, "edge-[1-16]"},
      {"models of the wrong type are not missing too", "version = 1\nmodels = 3\n[[nodes]]\nname = \"a\"\n", K::wrong_type, "models", 2,
       "[models]"},
  };
}

std::vector<ErrorCase> key_cases() {
  return {
      {"an unknown key near a known one gets a suggestion", small_cluster("thread = 2\n"), K::unknown_key, "nodes[0].thread", 5,
       "did you mean `threads`?"},
      {"an unknown table near a known one gets a suggestion", small_cluster("[limit]\n"), K::unknown_key, "limit", 5,
       "did you mean `limits`?"},
      {"a swap of letters is seen through", small_cluster("[limits]\nstep_tokesn_max = 2\n"), K::unknown_key, "limits.step_tokesn_max", 6,
       "did you mean `step_tokens_max`?"},
      {"an unknown key far from all names the reference", small_cluster("[limits]\nzzz = 2\n"), K::unknown_key, "limits.zzz", 6,
       "config reference"},
      {"an unknown class gets a suggestion", small_cluster("[classes.life]\n"), K::unknown_key, "classes.life", 5, "did you mean `live`?"},
      {"a table where a list of tables is wanted", "version = 1\n[models.m]\n[nodes]\nname = \"a\"\n[[pools]]\nname = \"e[1-1]\"\n",
       K::wrong_type, "nodes", 3, "[[nodes]]"},
      {"a value where a table is wanted", "version = 1\nlimits = 3\n[models.m]\n[[nodes]]\nname = \"a\"\n", K::wrong_type, "limits", 2,
       "[limits]"},
      {"a text where a number is wanted", small_cluster("threads = \"2\"\n"), K::wrong_type, "nodes[0].threads", 5,
       "whole number from 0 to 1024 threads"},
      {"a fraction where a whole number is wanted", small_cluster("threads = 1.5\n"), K::wrong_type, "nodes[0].threads", 5,
       "threads = 1.5"},
      {"a number where a text is wanted", small_cluster("zone = 3\n"), K::wrong_type, "nodes[0].zone", 5, "a name of"},
      {"a number where true or false is wanted", small_cluster("start = 1\n"), K::wrong_type, "nodes[0].start", 5, "true or false"},
      {"a word where a list is wanted", small_cluster("roles = \"router\"\n"), K::wrong_type, "nodes[0].roles", 5,
       "a list of router, worker and gateway"},
      {"a number in a list of words", small_cluster("roles = [\"router\", \"worker\", 1]\n"), K::wrong_type, "nodes[0].roles", 5, "= 1"},
      {"a number in a list of names", small_cluster("models = [1]\n"), K::wrong_type, "nodes[0].models", 5, "= 1"},
      {"a date is no duration", small_cluster("[timings]\nlease = 2026-01-01\n"), K::wrong_type, "timings.lease", 6, "a duration"},
      {"a required key is missing", small_cluster("[[nodes]]\nport = 8000\n"), K::missing_key, "nodes[1].name", 5, "add `name = \"left\"`"},
      {"a negative count", small_cluster("threads = -1\n"), K::out_of_range, "nodes[0].threads", 5, "0 to 1024"},
      {"a count above its range", small_cluster("[limits]\nstep_tokens_max = 65537\n"), K::out_of_range, "limits.step_tokens_max", 6,
       "1 to 65536 tokens"},
      {"a count below its range", small_cluster("[limits]\nstep_tokens_max = 0\n"), K::out_of_range, "limits.step_tokens_max", 6,
       "1 to 65536 tokens"},
      {"a port needs room for three more", small_cluster("port = 65533\n"), K::out_of_range, "nodes[0].port", 5,
       "1 to 65532 (port number)"},
      {"a size above its range", small_cluster("[limits]\nframe_bytes_max = \"257KiB\"\n"), K::out_of_range, "limits.frame_bytes_max", 6,
       "1KiB to 256KiB"},
      {"a duration below its range", small_cluster("[timings]\nlease = \"1ms\"\n"), K::out_of_range, "timings.lease", 6, "100ms to 10min"},
      {"an empty list of roles", small_cluster("roles = []\n"), K::out_of_range, "nodes[0].roles", 5, "a list of"},
      {"zero without a unit is below a range that begins above it", small_cluster("[timings]\nlease = 0\n"), K::out_of_range,
       "timings.lease", 6, "100ms"},
      {"a duration without its unit", small_cluster("[timings]\nlease = 2\n"), K::bad_unit, "timings.lease", 6,
       "write it in quotes with its unit"},
      {"a size with the unit of a duration", small_cluster("kv_memory = \"5s\"\n"), K::bad_unit, "nodes[0].kv_memory", 5,
       "a size from 1MiB"},
      {"a bandwidth without /s", small_cluster("[limits]\nbulk_bandwidth_max = \"1MB\"\n"), K::bad_unit, "limits.bulk_bandwidth_max", 6,
       "100MB/s"},
  };
}

std::vector<ErrorCase> word_cases() {
  return {
      {"a word that is none of the choices gets a suggestion", small_cluster("isa = \"avx51\"\n"), K::bad_choice, "nodes[0].isa", 5,
       "did you mean \"avx512\"?"},
      {"a word far from all choices gets an example", small_cluster("isa = \"quantum\"\n"), K::bad_choice, "nodes[0].isa", 5,
       "isa = \"avx2\""},
      {"a wrong word in a list", small_cluster("roles = [\"router\", \"wroker\"]\n"), K::bad_choice, "nodes[0].roles", 5,
       "did you mean \"worker\"?"},
      {"a word twice in a list", small_cluster("roles = [\"router\", \"worker\", \"router\"]\n"), K::duplicate, "nodes[0].roles", 5,
       "each word once"},
      {"a name twice in a list", small_cluster("models = [\"m\", \"m\"]\n"), K::duplicate, "nodes[0].models", 5, "twice"},
      {"a name with a blank", small_cluster("zone = \"a b\"\n"), K::bad_name, "nodes[0].zone", 5, "letters, digits"},
      {"a name in a list with a blank", small_cluster("models = [\"a b\"]\n"), K::bad_name, "nodes[0].models", 5, "\"a b\""},
      {"a path with a control character", small_cluster("key_file = \"a\\u0000b\"\n"), K::bad_name, "nodes[0].key_file", 5, "a path"},
      {"a model name with a blank", small_cluster("[models.\"a b\"]\n"), K::bad_name, "models.a b", 5, "model name"},
      {"a policy that is none gets a suggestion", small_cluster("[placement]\npolicy = \"additiv\"\n"), K::bad_choice, "placement.policy",
       6, "did you mean \"additive\"?"},
      {"an unknown policy's table gets a suggestion", small_cluster("[placement.dynano]\n"), K::unknown_key, "placement.dynano", 5,
       "did you mean `dynamo`?"},
      {"a rung that is none", small_cluster("[tenants.t]\nladder = [\"shorter:64\", \"smaller\"]\n"), K::bad_choice, "tenants.t.ladder", 6,
       "defer:TIME"},
      {"a rung with a wrong value", small_cluster("[tenants.t]\nladder = [\"defer:1\"]\n"), K::bad_choice, "tenants.t.ladder", 6,
       "defer:TIME"},
      {"two rungs of a kind", small_cluster("[tenants.t]\nladder = [\"shorter:64\", \"shorter:32\"]\n"), K::duplicate, "tenants.t.ladder",
       6, "each kind of rung once"},
      {"a rung that is no text", small_cluster("[tenants.t]\nladder = [64]\n"), K::wrong_type, "tenants.t.ladder", 6, "a list of"},
      {"a rung to a model that the file lacks", small_cluster("[tenants.t]\nladder = [\"model:mm\"]\n"), K::unknown_reference,
       "tenants.t.ladder", 6, "did you mean \"m\"?"},
      {"a tenant name with a slash", small_cluster("[tenants.\"a/b\"]\n"), K::bad_name, "tenants.a/b", 5, "tenant name"},
      {"an address that is none", small_cluster("address = \"127.0.0.999\"\n"), K::bad_address, "nodes[0].address", 5, "IPv4"},
      {"an IPv6 address without brackets", small_cluster("address = \"::1\"\n"), K::bad_address, "nodes[0].address", 5, "brackets"},
      {"a placeholder in the address of a node",
       small_cluster("address = \"a-{n}\"\npublic_key = \"" + some_key(1) + "\"\n[security]\nsecret_file = \"s\"\n"), K::bad_address,
       "nodes[0].address", 5, "in pools alone"},
      {"a public key that is too short", small_cluster("public_key = \"abc\"\n"), K::bad_key, "nodes[0].public_key", 5, "40 characters"},
      {"a key in a list that is none", small_cluster("[[pools]]\nname = \"e[1-1]\"\nport = 9000\npublic_keys = [\"abc\"]\n"), K::bad_key,
       "pools[0].public_keys", 8, "CURVE public keys"},
      {"a secret that is no hex", small_cluster("[security]\nsecret = \"xyz\"\n"), K::bad_secret, "security.secret", 6, "64 hex digits"},
  };
}

std::vector<ErrorCase> pool_cases() {
  const auto pool = [](const std::string& lines) { return small_cluster("[[pools]]\n" + lines); };
  return {
      {"a pool needs a range", pool("name = \"edge\"\n"), K::bad_pool, "pools[0].name", 6, "edge-[1-16]"},
      {"the range of a pool rises", pool("name = \"edge-[4-2]\"\n"), K::bad_pool, "pools[0].name", 6, "one range"},
      {"the range of a pool is bounded", pool("name = \"edge-[1-9999]\"\n"), K::bad_pool, "pools[0].name", 6, "one range"},
      {"many pools together are bounded", pool("name = \"e-[1-1024]\"\nport = 9000\n"), K::out_of_range, "pools[0].name", 6,
       "at most 1024 nodes"},
      {"the last member's port exists", pool("name = \"e-[1-16]\"\nport = 65500\n"), K::port_overflow, "pools[0].port", 7,
       "15 steps of 10"},
      {"one public key for each member", pool("name = \"e-[1-2]\"\nport = 9000\npublic_keys = [\"" + some_key(1) + "\"]\n"),
       K::out_of_range, "pools[0].public_keys", 8, "each of the 2 members"},
      {"no more members are started than there are", pool("name = \"e-[1-2]\"\nport = 9000\nstart = 3\n"), K::out_of_range,
       "pools[0].start", 8, "2 members"},
      {"a padded number does not fit an IPv4 address", pool("name = \"e-[08-10]\"\naddress = \"127.0.0.{n}\"\nport = 9000\n"),
       K::bad_address, "pools[0].address", 7, "127.0.0.08"},
      {"a member named like a node", pool("name = \"[1-1]a\"\nport = 9000\n[[nodes]]\nname = \"1a\"\nport = 9100\n"), K::duplicate,
       "pools[0].name", 6, "\"1a\""},
  };
}

std::vector<ErrorCase> cross_cases() {
  return {
      {"two nodes of one name", small_cluster("[[nodes]]\nname = \"a\"\nport = 8000\n"), K::duplicate, "nodes[1].name", 6, "rename"},
      {"two nodes on one port", small_cluster("[[nodes]]\nname = \"b\"\n"), K::port_collision, "nodes[1].port", 5,
       "\"a\" has 7400 to 7403"},
      {"ports closer than four", small_cluster("[[nodes]]\nname = \"b\"\nport = 7403\n"), K::port_collision, "nodes[1].port", 7,
       "at least 4 apart"},
      {"localhost and 127.0.0.1 are one address", small_cluster("[[nodes]]\nname = \"b\"\naddress = \"localhost\"\n"), K::port_collision,
       "nodes[1].port", 5, "\"a\" has 7400"},
      {"a model that the file lacks", small_cluster("models = [\"mm\"]\n"), K::unknown_reference, "nodes[0].models", 5,
       "did you mean \"m\"?"},
      {"a tenant that the file lacks", small_cluster("[[security.tokens]]\nname = \"t\"\ntoken_file = \"f\"\ntenants = [\"news\"]\n"),
       K::unknown_reference, "security.tokens[0].tenants", 8, "define [tenants.news]"},
      {"known and path exclude each other", small_cluster("[models.b]\nknown = \"x\"\npath = \"y\"\n"), K::exclusive, "models.b.known", 6,
       "either"},
      {"kv_memory and kv_blocks exclude each other", small_cluster("kv_memory = \"1GiB\"\nkv_blocks = 4\n"), K::exclusive,
       "nodes[0].kv_blocks", 6, "either"},
      {"secret and secret_file exclude each other",
       small_cluster("[security]\nsecret_file = \"f\"\nsecret = \"" + std::string(64, 'a') + "\"\n"), K::exclusive, "security.secret", 7,
       "either"},
      {"token and token_file exclude each other",
       small_cluster("[[security.tokens]]\nname = \"t\"\ntoken_file = \"f\"\ntoken = \"0123456789abcdef\"\ntenants = [\"default\"]\n"),
       K::exclusive, "security.tokens[0].token", 8, "either"},
      {"a token has a secret", small_cluster("[[security.tokens]]\nname = \"t\"\ntenants = [\"default\"]\n"), K::missing_key,
       "security.tokens[0].token_file", 5, "bearer secret"},
      {"a short bearer secret", small_cluster("[[security.tokens]]\nname = \"t\"\ntoken = \"short\"\ntenants = [\"default\"]\n"),
       K::bad_name, "security.tokens[0].token", 7, "16 to 1024"},
      {"two tokens of one secret",
       small_cluster("[[security.tokens]]\nname = \"t\"\ntoken = \"0123456789abcdef\"\ntenants = [\"default\"]\n"
                     "[[security.tokens]]\nname = \"u\"\ntoken = \"0123456789abcdef\"\ntenants = [\"default\"]\n"),
       K::duplicate, "security.tokens[1].token", 11, "another token"},
      {"a cost table on a real model", small_cluster("[models.b]\n[models.b.paced]\n"), K::not_applicable, "models.b.paced", 6,
       "kind = \"paced\""},
      {"a path on a paced model", small_cluster("[models.b]\nkind = \"paced\"\npath = \"x\"\n"), K::not_applicable, "models.b.path", 7,
       "no weights"},
      {"a page of odd size", small_cluster("[models.b]\nkind = \"paced\"\n[models.b.paced]\npage_bytes = \"1001B\"\n"), K::out_of_range,
       "models.b.paced.page_bytes", 8, "multiple of 16"},
      {"memory for not even one page",
       small_cluster("[models.b]\nkind = \"paced\"\n[models.b.paced]\npage_bytes = \"4MiB\"\n[[nodes]]\nname = \"b\"\nport = "
                     "9000\nkv_memory = \"2MiB\"\n"),
       K::out_of_range, "nodes[1].kv_memory", 12, "4MiB"},
      {"models on a node that is no worker",
       small_cluster("[[nodes]]\nname = \"b\"\nport = 9000\nroles = [\"router\"]\nmodels = [\"m\"]\n"), K::not_applicable,
       "nodes[1].models", 9, "add \"worker\""},
      {"silence makes a suspect before it makes a corpse", small_cluster("[timings]\nsuspect_after = \"1s\"\n"), K::out_of_order,
       "timings.suspect_after", 6, "below timings.dead_after"},
      {"heartbeats come before suspicion", small_cluster("[timings]\nheartbeat_interval = \"400ms\"\n"), K::out_of_order,
       "timings.heartbeat_interval", 6, "below timings.suspect_after"},
      {"pings come before a client is silent", small_cluster("[timings]\nclient_silence_max = \"200ms\"\n"), K::out_of_order,
       "timings.client_silence_max", 6, "below"},
      {"the owner is asked before a lease ends", small_cluster("[timings]\nlease = \"150ms\"\n"), K::out_of_order, "timings.lease", 6,
       "ask_owner_interval"},
      {"back-off rises", small_cluster("[timings]\nrestart_backoff_max = \"100ms\"\n"), K::out_of_order, "timings.restart_backoff_max", 6,
       "at most"},
      {"a cluster that only computes prompts makes no answers", small_cluster("phases = [\"prefill\"]\n"), K::missing_nodes,
       "nodes[0].phases", 5, "want a worker with the phase decode"},
      {"full lies below roomy", small_cluster("[spill]\nfree_low_percent = 30\n"), K::out_of_order, "spill.free_low_percent", 6,
       "below spill.free_high_percent"},
      {"a generated token costs no less than one of a prompt", small_cluster("[batching]\ninput_token_cost = 3\n"), K::out_of_order,
       "batching.input_token_cost", 6, "at most batching.output_token_cost"},
      {"credit covers a frame", small_cluster("[limits]\ncredit_bytes = \"100KiB\"\n"), K::out_of_order, "limits.credit_bytes", 6,
       "limits.frame_bytes_max"},
      {"a cluster has a node", "version = 1\n[models.m]\n", K::missing_nodes, "nodes", 1, "[[nodes]]"},
      {"a cluster has a router", "version = 1\n[models.m]\n[[nodes]]\nname = \"a\"\nroles = [\"worker\"]\n", K::missing_nodes, "nodes", 3,
       "role router"},
      {"a cluster has a worker", "version = 1\n[models.m]\n[[nodes]]\nname = \"a\"\nroles = [\"router\"]\n", K::missing_nodes, "nodes", 3,
       "role worker"},
      {"a worker has a model", "version = 1\n[[nodes]]\nname = \"a\"\n", K::missing_key, "models", 1, "at least one model"},
  };
}

std::vector<ErrorCase> security_cases() {
  const std::string far = "version = 1\n[models.m]\n[[nodes]]\nname = \"a\"\naddress = \"10.0.0.1\"\n";
  const std::string key = "public_key = \"" + some_key(1) + "\"\n";
  const std::string secret = "[security]\nsecret_file = \"s\"\n";
  return {
      {"off loopback a node has a key", far + secret, K::key_required, "nodes[0].public_key", 3, "spillway keys new --out keys/a.key"},
      {"listening on all addresses is off loopback", small_cluster("bind = \"0.0.0.0\"\n" + secret), K::key_required, "nodes[0].public_key",
       3, "keys new"},
      {"curve on loopback wants keys too", small_cluster("[security]\ncurve = true\n"), K::key_required, "nodes[0].public_key", 3,
       "keys new"},
      {"members off loopback have keys", small_cluster(key + "[[pools]]\nname = \"e[1-1]\"\naddress = \"e{n}.x\"\n" + secret),
       K::key_required, "pools[0].public_keys", 6, "\"e1\""},
      {"off loopback curve cannot be off", far + key + secret + "curve = false\n", K::curve_required, "security.curve", 9,
       "nodes[0].address"},
      {"off loopback the cluster has a secret", far + key, K::secret_required, "security.secret_file", 1, "spillway keys secret"},
      {"two nodes with one key", remote_cluster("[[nodes]]\nname = \"c\"\naddress = \"10.0.0.3\"\npublic_key = \"" + some_key(1) + "\"\n"),
       K::duplicate, "nodes[2].public_key", 15, "\"a\" has the same"},
      {"a client with the key of a node",
       remote_cluster("[[security.clients]]\nname = \"c\"\ntenants = [\"default\"]\npublic_key = \"" + some_key(2) + "\"\n"), K::duplicate,
       "security.clients[0].public_key", 15, "\"b\" has the same"},
      {"a client and a token of one name",
       remote_cluster("[[security.clients]]\nname = \"c\"\ntenants = [\"default\"]\npublic_key = \"" + some_key(3) +
                      "\"\n[[security.tokens]]\nname = \"c\"\n"
                      "token_file = \"f\"\ntenants = [\"default\"]\n"),
       K::duplicate, "security.tokens[0].name", 17, "rename"},
  };
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ErrorCase& value) {
  return out << value.rule;
}

std::string small_cluster(const std::string& more) {
  return "version = 1\n[models.m]\n[[nodes]]\nname = \"a\"\n" + more;
}

std::string some_key(unsigned number) {
  auto digits = std::to_string(number);
  return std::string(40 - digits.size(), '0') + digits;
}

std::string remote_cluster(const std::string& more) {
  return "version = 1\nsecurity.secret_file = \"s\"\n[models.m]\n[[nodes]]\nname = \"a\"\naddress = \"10.0.0.1\"\npublic_key = \"" +
         some_key(1) + "\"\n[[nodes]]\nname = \"b\"\naddress = \"10.0.0.2\"\npublic_key = \"" + some_key(2) + "\"\n" + more;
}

std::vector<ErrorCase> error_cases() {
  std::vector<ErrorCase> all;
  for (auto* list : {file_cases, key_cases, word_cases, pool_cases, cross_cases, security_cases}) {
    for (auto& each : list()) all.push_back(std::move(each));
  }
  return all;
}

}  // namespace spillway::config
