#pragma once

#include <boost/json.hpp>
#include <string>

#include "sdk/include/spillway/client.h"

namespace spillway::app {

/// What `move` and `drain` print of what happened. `blocks` and `bytes` are what was carried, so that bytes = blocks x bytes of a
/// page; `blocks_held` of a move are all that the stream held, those that the destination had already among them.
boost::json::object move_json(const sdk::MoveResult& moved);
std::string move_text(const sdk::MoveResult& moved);
boost::json::object drain_json(const std::string& node, sdk::DrainMode mode, const sdk::DrainProgress& done, double took_ms);
std::string drain_text(const std::string& node, sdk::DrainMode mode, const sdk::DrainProgress& done, double took_ms);

}  // namespace spillway::app
