#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace seawall {

void check_failed(const char* condition, const char* file, int line, const char* message) {
  std::fprintf(stderr, "seawall: internal error at %s:%d: %s (%s)\n", file, line, message, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace seawall
