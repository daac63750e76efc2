// spillway version
#include <boost/json.hpp>
#include <iostream>
#include <memory>

#include "app/commands.h"
#include "cluster-config/schema.h"

namespace spillway::app {

void add_version_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("version", "Print the version of this build");
  const auto as_json = std::make_shared<bool>(false);
  command->add_flag("--json", *as_json, "Print one JSON object");
  command->callback([as_json, &run] {
    run = [as_json] {
      if (*as_json) {
        const boost::json::object out{
            {"version", SPILLWAY_VERSION}, {"cluster_file_version", config::file_version}, {"compiler", __VERSION__}};
        std::cout << boost::json::serialize(out) << '\n';
      } else {
        std::cout << "spillway " << SPILLWAY_VERSION << '\n';
      }
      return 0;
    };
  });
}

}  // namespace spillway::app
