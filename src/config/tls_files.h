// What the configuration names for TLS is opened before it is used: a certificate that is missing, expired or another
// key's is a mistake in the file like any other. Start-up and reload only. Thread: any.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "config/draft.h"

namespace seawall::config {

// Each file is reported at the key that names it; the paths are whole.
void check_tls_files(const Input& input, const Clock& clock, Report& report);

// OCSP responses that are out of date: no mistake, for certificates are served without them.
std::vector<std::string> lapsed_ocsp_files(const Config& config, WallTime now);

}  // namespace seawall::config
