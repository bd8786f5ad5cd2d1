// The value of `--disk`: "DIR:SIZE". Pure: the directory is not looked at. Thread: any.
#pragma once

#include <expected>
#include <string_view>

#include "config/directives.h"
#include "disk/tier.h"

namespace seawall::config {

// The path as given: what it is relative to is the caller's to know.
std::expected<disk::VolumeOptions, Problem> parse_disk(std::string_view entry);

}  // namespace seawall::config
