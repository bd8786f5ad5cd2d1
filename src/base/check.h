// Assertions. Bad input is never one of these: they are for what the code itself promised.
//
// SW_CHECK  always on: prints the condition and aborts.
// SW_DASSERT  debug and test builds only (SEAWALL_DEBUG).
#pragma once

namespace seawall {

[[noreturn]] void check_failed(const char* condition, const char* file, int line, const char* message);

}  // namespace seawall

#define SW_CHECK(cond, message)                                      \
  do {                                                               \
    if (!(cond)) [[unlikely]] {                                      \
      ::seawall::check_failed(#cond, __FILE__, __LINE__, (message)); \
    }                                                                \
  } while (false)

#ifdef SEAWALL_DEBUG
#define SW_DASSERT(cond, message) SW_CHECK(cond, message)
#else
#define SW_DASSERT(cond, message) \
  do {                            \
  } while (false)
#endif
