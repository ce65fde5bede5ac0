// SPDX-License-Identifier: Apache-2.0
//
// libFuzzer target for utilities/eoip/import.h: any text as what RouterOS
// exports.  What is taken from it is exported again, and read once more.

#include "import.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "export.h"

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

void require_one_line(const std::string &text)
{
    require(!text.empty() && text.find('\n') == text.size() - 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char *>(data), size);
    const eoip::Imported imported =
        eoip::import_rsc(text, {"", false, "192.0.2.9"});
    if (!imported.errors.empty()) {
        return 0;
    }
    for (const eoip::Tunnel &tunnel : imported.tunnels) {
        require(!tunnel.name.empty() && tunnel.name.size() < 16);
        require(tunnel.options.contains("key"));
        require_one_line(eoip::add_line(tunnel));
        require(!eoip::export_interfaces(tunnel).empty());
        require(!eoip::export_networkd(tunnel).empty());
        const std::string back = eoip::export_routeros(tunnel, "192.0.2.8");
        require_one_line(back);
        if (back.starts_with('#')) {
            continue;
        }
        const eoip::Imported again = eoip::import_rsc(back, {});
        require(again.errors.empty() && again.tunnels.size() == 1
                && again.tunnels[0].name == tunnel.name);
        // The same line for ever after.
        require(eoip::export_routeros(again.tunnels[0], "") == back);
    }
    return 0;
}
