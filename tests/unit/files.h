// SPDX-License-Identifier: Apache-2.0
//
// Where tests find the files of the source tree, and how they read them.

#ifndef EOIP_TESTS_FILES_H
#define EOIP_TESTS_FILES_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace eoip::test {

[[nodiscard]] inline std::string environment(const char *name)
{
    const char *value = std::getenv(name);
    return value ? value : "";
}

// $EOIP_TOP_SRCDIR, else what the build says.
[[nodiscard]] inline std::filesystem::path top_srcdir()
{
    const std::string top = environment("EOIP_TOP_SRCDIR");
#ifdef EOIP_TOP_SRCDIR
    return top.empty() ? EOIP_TOP_SRCDIR : top;
#else
    return top.empty() ? "." : top;
#endif
}

[[nodiscard]] inline std::string read_file(const std::filesystem::path &path)
{
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace eoip::test

#endif  // EOIP_TESTS_FILES_H
