#pragma once

#include <string>

#include "cluster-config/schema.h"

namespace spillway::config {

/// A good file that holds every key of the table, made from the examples there; of two keys that exclude each other it has one.
std::string rich_cluster();

/// The lines that open a table of this pattern, with a name where it has one.
std::string table_header(const Section& section);

/// Whether rich_cluster leaves the key ("models.*.path") out, since it excludes another.
bool left_out(const std::string& key);

}  // namespace spillway::config
