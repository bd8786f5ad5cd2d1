#include "net/openssl_memory.h"
#include "server/cli.h"

int main(int argc, char** argv) {
  seawall::net::use_openssl_pools();
  return seawall::server::run_command_line(argc, argv);
}
