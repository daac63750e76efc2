#pragma once

#include <filesystem>
#include <string>

#include "sim/workload.h"
#include "tests/sim/test_folder.h"

namespace spillway::sim::test {

/// A workload with everything that a record can hold: sessions, parents, blocks that are shared, several names and classes.
/// input_tokens of each request is its own, so that requests can be told apart.
Workload sample_workload(std::uint64_t seed, std::uint32_t requests);

/// As JSON, one object a line.
std::string text_of(const Workload& workload);
/// A digest of that text, for bytes that must not change.
std::uint64_t digest_of(const Workload& workload);
/// Fails the test where the workload is not in normal form, or a parent is of another session.
void check_normal_form(const Workload& workload);

}  // namespace spillway::sim::test
