// The binary `spillway`. The list of its commands stands in command_line.cc.
#include "app/command_line.h"

int main(int argc, char** argv) {
  return spillway::app::run_command_line(argc, argv);
}
