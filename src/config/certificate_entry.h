// One entry of `tls.certificates`: "FILE [key=FILE] [ocsp=FILE]". Pure: no file is opened. Thread: any.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/directives.h"
#include "net/tls_options.h"

namespace seawall::config {

std::expected<net::CertificateFiles, Problem> parse_certificate(std::string_view entry);
// The entry that parses to the same.
std::string format_certificate(const net::CertificateFiles& files);

}  // namespace seawall::config
