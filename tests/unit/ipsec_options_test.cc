// SPDX-License-Identifier: Apache-2.0
//
// eoip/options.h: the secret of a tunnel, which no sentence may show.

#include "option_list.h"

#include <string>

#include <gtest/gtest.h>

namespace eoip {
namespace {

std::string errors_with(std::string_view psk)
{
    return errors({{"remote_ip", "192.0.2.2"}, {"psk", psk}});
}

TEST(Psk, TakesWhatCanBeTyped)
{
    for (const std::string &psk :
         {std::string("x"), std::string(255, 'x'),
          std::string("a \"{b}\" 'c' \\ = , # %"), std::string("p\u00e4ss")}) {
        const Options options = {{"remote_ip", "192.0.2.2"}, {"psk", psk}};
        EXPECT_EQ(errors(options), "");
        EXPECT_EQ(parse_options(options).config.ipsec.psk, psk);
        EXPECT_EQ(canonical_value("psk", psk), psk);
    }
    EXPECT_EQ(errors({{"remote_ip", "2001:db8::2"},
                      {"local_ip", "2001:db8::1"},
                      {"psk", "x"}}),
              "");
}

TEST(Psk, IsRefusedWithoutBeingShown)
{
    const std::string allowed =
        ": allowed are 1 to 255 bytes, none of them a control character";
    EXPECT_EQ(errors_with(""), "psk is empty" + allowed);
    EXPECT_EQ(errors_with(std::string(256, 'x')), "psk is too long" + allowed);
    for (const char *psk : {"hunter2\n", "hun\tter2", "hunter2\x7f"}) {
        EXPECT_EQ(errors_with(psk), "psk has control characters" + allowed);
    }
    EXPECT_EQ(errors_with(std::string_view("a\0b", 3)),
              "psk has control characters" + allowed);
    EXPECT_EQ(errors({{"remote_ip", "192.0.2.2"},
                      {"psk", "hunter2"},
                      {"psk", "hunter3"}}),
              "psk is given more than once");
}

TEST(Psk, NeedsAddresses)
{
    EXPECT_EQ(errors({{"psk", "x"}}),
              "psk needs an address as remote_ip, but remote_ip=flow");
    EXPECT_EQ(errors({{"psk", "x"}, {"remote_ip", "learn"}}),
              "psk needs an address as remote_ip, but remote_ip=learn");
    EXPECT_EQ(errors({{"psk", "x"}, {"remote_ip", "router.example"}}),
              "psk needs an address as remote_ip, but "
              "remote_ip=router.example");
    EXPECT_EQ(errors({{"psk", "x"},
                      {"remote_ip", "192.0.2.2"},
                      {"local_ip", "host.example"}}),
              "psk needs an address as local_ip, but local_ip=host.example");
    // One sentence for one fault.
    EXPECT_EQ(errors({{"psk", "x"}, {"remote_ip", "224.0.0.1"}})
                  .find("psk needs"),
              std::string::npos);
}

TEST(Psk, IsASecretAndNothingElseIs)
{
    for (const OptionInfo &info : option_table()) {
        EXPECT_EQ(is_secret(info.name), info.name == "psk") << info.name;
    }
    for (const char *name : {"ipsec-secret", "ipsec_secret", "password"}) {
        EXPECT_TRUE(is_secret(name)) << name;
    }
}

}  // namespace
}  // namespace eoip
