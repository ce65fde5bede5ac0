// SPDX-License-Identifier: Apache-2.0
//
// Reads tests/vectors; the format is in the README there.

#ifndef EOIP_TESTS_VECTORS_H
#define EOIP_TESTS_VECTORS_H

#include <charconv>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "files.h"
#include "packet.h"

namespace eoip::test {

struct Vector {
    std::string name;
    Buffer packet;
    std::string expect;  // "frame", "keepalive" or the name of a drop.
    std::optional<std::uint16_t> key;
    std::uint16_t frame_bytes = 0;
    bool trimmed = false;
};

[[nodiscard]] inline std::uint16_t parse_u16(const std::string &text, int base)
{
    std::uint16_t value = 0;
    const char *end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value, base);
    if (result.ec != std::errc{} || result.ptr != end) {
        throw std::runtime_error("vectors: bad number '" + text + "'");
    }
    return value;
}

inline void append_hex(Buffer &out, const std::string &hex)
{
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const std::uint16_t byte = parse_u16(hex.substr(i, 2), 16);
        out.push_back(static_cast<std::uint8_t>(byte));
    }
}

inline void set_word(Vector &vector, const std::string &word,
                     const std::string &value)
{
    if (word == "packet") {
        append_hex(vector.packet, value);
    } else if (word == "expect") {
        vector.expect = value;
    } else if (word == "key") {
        vector.key = parse_u16(value, 10);
    } else if (word == "frame_bytes") {
        vector.frame_bytes = parse_u16(value, 10);
    } else if (word == "trimmed" && value == "yes") {
        vector.trimmed = true;
    } else {
        throw std::runtime_error("vectors: bad line '" + word + " " + value
                                 + "'");
    }
}

// Throws std::runtime_error at what it does not understand.
[[nodiscard]] inline std::vector<Vector> read_vectors(const std::string &text)
{
    std::vector<Vector> vectors;
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string word;
        std::string value;
        if (!(words >> word >> value) || word.starts_with('#')) {
            continue;
        }
        if (word == "name") {
            vectors.emplace_back().name = value;
        } else {
            set_word(vectors.at(vectors.size() - 1), word, value);
        }
    }
    return vectors;
}

[[nodiscard]] inline std::vector<Vector> all_vectors()
{
    std::vector<Vector> vectors;
    const auto folder = top_srcdir() / "tests" / "vectors";
    for (const char *file : {"captured.txt", "made.txt", "made6.txt"}) {
        for (Vector &vector : read_vectors(read_file(folder / file))) {
            vectors.push_back(std::move(vector));
        }
    }
    return vectors;
}

}  // namespace eoip::test

#endif  // EOIP_TESTS_VECTORS_H
