// Who the client is when proxies stand in between: the PROXY protocol both ways, and what is believed of Forwarded.
#include <boost/test/unit_test.hpp>

#include "support/behave/admin.h"
#include "support/behave/client.h"
#include "support/behave/programs.h"
#include "support/behave/seawall.h"
#include "support/behave/site.h"

namespace seawall::behave {
namespace {

// PROXY protocol version 2, section 2.2 of its specification.
constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};

std::string v2(char command, char family, std::string_view addresses, std::string_view tlvs = {}) {
  const std::size_t size = addresses.size() + tlvs.size();
  std::string out(kSignature);
  out += static_cast<char>(0x20 | command);
  out += family;
  out += static_cast<char>(size >> 8);
  out += static_cast<char>(size & 0xff);
  return out.append(addresses).append(tlvs);
}

std::string tlv(char type, std::string_view value) {
  return std::string(1, type) + static_cast<char>(value.size() >> 8) + static_cast<char>(value.size() & 0xff) +
         std::string(value);
}

// 192.0.2.7:50000 to 192.0.2.1:443, and the same in IPv6.
constexpr std::string_view kIpv4{"\xc0\x00\x02\x07\xc0\x00\x02\x01\xc3\x50\x01\xbb", 12};
constexpr std::string_view kIpv6{
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\xc3\x50\x01\xbb", 36};
constexpr char kProxy = 1;
constexpr char kLocal = 0;
constexpr char kTcp4 = 0x11;
constexpr char kTcp6 = 0x21;

constexpr const char* kV1 = "PROXY TCP4 192.0.2.7 192.0.2.1 50000 443\r\n";
// Not one of the trusted.
constexpr const char* kElsewhere = "127.0.0.2";

class Behind {
 public:
  explicit Behind(SeawallOptions options = {}) : seawall(origin, with_proxy(std::move(options))) {
    origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "a"});
  }

  Origin origin;
  const TemporaryDirectory logs;
  Seawall seawall;

  Client client(const std::string& preamble, const std::string& from = {}) const {
    return Client(seawall, {.from = from, .preamble = preamble});
  }
  // Who the origin was told the last client is.
  std::string told() const { return origin.seen("/a").headers.get("X-Forwarded-For"); }

 private:
  SeawallOptions with_proxy(SeawallOptions options) const {
    if (options.listen.front() == "127.0.0.1:0") options.listen = {"127.0.0.1:0 proxy"};
    options.admin = true;
    options.server += "\ntrusted_proxies = [\"127.0.0.1\", \"unix\"]\n";
    options.log += "\naccess = \"" + logs.path() + "/access.log\"\n";
    return options;
  }
};

BOOST_AUTO_TEST_SUITE(behave_proxy_protocol)

BOOST_AUTO_TEST_CASE(a_header_names_the_client) {
  struct Row {
    const char* name;
    std::string header;
    std::string client;
    std::string proto = "http";
  };
  // PP2_TYPE_SSL: PP2_CLIENT_SSL, not verified, and a sub-TLV with the version.
  const std::string ssl = tlv(0x20, std::string("\x01\0\0\0\1", 5) + tlv(0x21, "TLSv1.3"));
  const std::string not_ssl = tlv(0x20, std::string("\0\0\0\0\1", 5));
  const Row rows[] = {
      {"v1", kV1, "192.0.2.7"},
      {"v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n", "2001:db8::7"},
      {"v1 unknown", "PROXY UNKNOWN\r\n", "127.0.0.1"},
      {"v1 unknown with more", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "127.0.0.1"},
      {"v2", v2(kProxy, kTcp4, kIpv4), "192.0.2.7"},
      {"v2 IPv6", v2(kProxy, kTcp6, kIpv6), "2001:db8::7"},
      {"v2 local", v2(kLocal, 0, {}), "127.0.0.1"},
      {"v2 local with an address", v2(kLocal, kTcp4, kIpv4), "127.0.0.1"},
      {"v2 unspecified", v2(kProxy, 0, {}), "127.0.0.1"},
      {"v2 with TLVs", v2(kProxy, kTcp4, kIpv4, tlv(0x04, "padding") + tlv(0x05, "unique") + tlv('\xe0', "custom")),
       "192.0.2.7"},
      {"v2 with TLS", v2(kProxy, kTcp4, kIpv4, ssl), "192.0.2.7", "https"},
      {"v2 without TLS", v2(kProxy, kTcp4, kIpv4, not_ssl), "192.0.2.7"},
  };
  Behind behind;
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Client client = behind.client(row.header);
      BOOST_TEST(client.get("/a").body == "a");
      const Fields seen = behind.origin.seen("/a").headers;
      BOOST_TEST(seen.get("X-Forwarded-For") == row.client);
      BOOST_TEST(contains(seen.get("Forwarded"), row.client));
      BOOST_TEST(seen.get("X-Forwarded-Proto") == row.proto);
      // For the whole connection.
      BOOST_TEST(client.get("/a").body == "a");
      BOOST_TEST(behind.told() == row.client);
    }
  }
  BOOST_TEST(until([&] { return contains(behind.logs.read("access.log"), "2001:db8::7 "); }),
             behind.logs.read("access.log"));
  BOOST_TEST(behind.logs.read("access.log").starts_with("192.0.2.7 "));
}

// What the proxy has found out about the client's certificate; PP2_TYPE_SSL again.
BOOST_AUTO_TEST_CASE(a_header_tells_of_tls_and_of_the_clients_certificate) {
  struct Row {
    const char* name;
    std::string header;
    std::string verify;
    std::string subject;
    bool is_https = true;
  };
  const auto with = [](std::string_view ssl) { return v2(kProxy, kTcp4, kIpv4, tlv(0x20, ssl)); };
  const std::string name = tlv(0x22, "known client");
  const Row rows[] = {
      {"no certificate", with({"\x01\0\0\0\0", 5}), "NONE", ""},
      {"a good one", with(std::string("\x03\0\0\0\0", 5) + name), "SUCCESS", "CN=known client"},
      {"a good one of the session", with(std::string("\x05\0\0\0\0", 5) + name), "SUCCESS", "CN=known client"},
      {"a bad one", with(std::string("\x03\0\0\0\x0a", 5) + name), "FAILED:error 10", "CN=known client"},
      {"a forged attribute", with(std::string("\x03\0\0\0\0", 5) + tlv(0x22, "a,O=root")), "SUCCESS", "CN=a\\,O=root"},
      {"no TLS", with(std::string("\0\0\0\0\0", 5) + name), "", "", false},
      {"no word of it", v2(kProxy, kTcp4, kIpv4), "", "", false},
      {"v1", kV1, "", "", false},
  };
  Behind behind({.tls = "hsts = \"1d\""});
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      Client client = behind.client(row.header);
      const Response response = client.get("/a", {"X-SSL-Client-Verify: SUCCESS", "x_ssl_client_s_dn: CN=root",
                                                  "Client-Cert: :AAAA:", "X-SSL-Client-Fingerprint: 00"});
      BOOST_TEST(response.body == "a");
      BOOST_TEST(response.get("Strict-Transport-Security") == (row.is_https ? "max-age=86400" : ""));
      const Fields seen = behind.origin.seen("/a").headers;
      BOOST_TEST(seen.get("X-SSL-Client-Verify") == row.verify);
      BOOST_TEST(seen.get("X-SSL-Client-S-DN") == row.subject);
      for (const char* forged : {"x_ssl_client_s_dn", "Client-Cert", "X-SSL-Client-Fingerprint"}) {
        BOOST_TEST(!seen.has(forged), forged);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_header_may_come_in_pieces_or_with_the_request) {
  Behind behind;
  for (const std::string& header : {std::string(kV1), v2(kProxy, kTcp4, kIpv4, tlv(0x04, "padding"))}) {
    Client together = behind.client(header + request_bytes("GET", "/a") + request_bytes("GET", "/a"));
    BOOST_TEST(together.read().body == "a");
    BOOST_TEST(together.read().body == "a");
    Client pieces = behind.client({});
    for (const char byte : header + request_bytes("GET", "/a")) pieces.send(std::string(1, byte));
    BOOST_TEST(pieces.read().body == "a");
    BOOST_TEST(behind.told() == "192.0.2.7");
  }
}

BOOST_AUTO_TEST_CASE(bad_headers_close_the_connection_and_are_counted) {
  const std::string bad[] = {
      "PROXY\r\n",
      "PROXY TCP4\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 50000\r\n",
      "PROXY TCP4 192.0.2.256 192.0.2.1 50000 443\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 65536 443\r\n",
      "PROXY TCP4 2001:db8::7 2001:db8::1 50000 443\r\n",
      "PROXY TCP6 192.0.2.7 192.0.2.1 50000 443\r\n",
      "PROXY TCP4 192.0.2.7 192.0.2.1 50000 443\n",
      "PROXY TCP4  192.0.2.7 192.0.2.1 50000 443\r\n",
      "PROXY UDP4 192.0.2.7 192.0.2.1 50000 443\r\n",
      "PROXY TCP4 " + std::string(200, '1') + "\r\n",
      v2(kProxy, kTcp4, kIpv4.substr(0, 8)),
      v2(kProxy, kTcp6, kIpv4),
      v2(3, kTcp4, kIpv4),
      v2(kProxy, kTcp4, kIpv4,
         std::string("\x04\x00\x09"
                     "abc",
                     6)),
      std::string(kSignature) + std::string("\x11\x11\0\x0c", 4) + std::string(kIpv4),
      v2(kProxy, kTcp4, kIpv4, tlv(0x03, "bad!")),
      // No header at all, though it comes from who should send one.
      request_bytes("GET", "/a"),
      std::string("\x16\x03\x01\x02\x00\x01", 6),
  };
  Behind behind;
  const Admin admin(behind.seawall);
  double counted = 0;
  for (const std::string& header : bad) {
    BOOST_TEST_CONTEXT(header) {
      Client client = behind.client(header + request_bytes("GET", "/a"));
      BOOST_TEST(client.is_closed());
      BOOST_TEST(admin.total("seawall_proxy_protocol_errors_total") == ++counted);
    }
  }
  BOOST_TEST(behind.origin.total() == 0U);
  BOOST_TEST(behind.client(kV1).get("/a").body == "a");
}

BOOST_AUTO_TEST_CASE(a_header_that_does_not_come_is_not_awaited_for_ever) {
  Behind behind({.timeouts = "tls = \"300ms\""});
  Client silent = behind.client({});
  Client half = behind.client("PROXY TCP4 192.0");
  BOOST_TEST(half.is_closed());
  BOOST_TEST(silent.is_closed());
}

// Whatever it says, and before it says anything: the listener is there for the proxies.
BOOST_AUTO_TEST_CASE(who_is_not_trusted_is_not_served) {
  Behind behind;
  const Admin admin(behind.seawall);
  double counted = 0;
  for (const std::string& bytes : {std::string(), request_bytes("GET", "/a"), kV1 + request_bytes("GET", "/a"),
                                   v2(kProxy, kTcp4, kIpv4) + request_bytes("GET", "/a")}) {
    Client stranger = behind.client(bytes, kElsewhere);
    BOOST_TEST(stranger.is_closed());
    BOOST_TEST(admin.metric("seawall_proxy_protocol_errors_total{reason=\"untrusted\"}") == ++counted);
  }
  BOOST_TEST(behind.origin.total() == 0U);
  BOOST_TEST(behind.client(kV1).get("/a").body == "a");
  // Nor is one believed where none is expected.
  Seawall plain(behind.origin, {.server = "trusted_proxies = [\"127.0.0.1\"]"});
  const std::size_t had = behind.origin.total();
  BOOST_TEST(Client(plain, {.preamble = kV1}).get("/a").status == 400);
  BOOST_TEST(behind.origin.total() == had);
}

BOOST_AUTO_TEST_CASE(curl_speaks_it) {
  const Site site;
  Behind behind({.listen = {"127.0.0.1:0 tls plain proxy"}, .tls = site.certificates()});
  const std::string address = behind.seawall.address();
  BOOST_TEST(curl({"--haproxy-protocol", "-H", "Host: a.test", "http://" + address + "/a"}).body == "a");
  BOOST_TEST(behind.told() == "127.0.0.1");
  for (const char* version : {"--http1.1", "--http2"}) {
    const CurlResponse response = curl({"--haproxy-protocol", version, "--cacert", site.ca, "--resolve",
                                        "a.test:" + std::to_string(behind.seawall.port()) + ":127.0.0.1",
                                        "https://a.test:" + std::to_string(behind.seawall.port()) + "/a"});
    BOOST_TEST(response.body == "a", response.errors);
    BOOST_TEST(behind.origin.seen("/a").headers.get("X-Forwarded-Proto") == "https");
  }
  // The header stands in front of TLS, and names who is behind it.
  Client client(behind.seawall, {.preamble = kV1, .tls = site.client()});
  BOOST_TEST(client.get("/a").body == "a");
  BOOST_TEST(behind.told() == "192.0.2.7");
  BOOST_TEST(curl({"http://" + address + "/a"}).code != 0);
}

BOOST_AUTO_TEST_CASE(haproxy_in_front_passes_its_client_on, *boost::unit_test::precondition(Needs{{"haproxy"}})) {
  Behind behind;
  struct Row {
    const char* send;
    bool is_tls;
  };
  for (const Row& row : {Row{"send-proxy", false},
                         {"send-proxy-v2", false},
                         {"send-proxy-v2-ssl", true},
                         {"send-proxy-v2-ssl-cn", true},
                         {"send-proxy-v2 proxy-v2-options ssl,unique-id,crc32c", true}}) {
    BOOST_TEST_CONTEXT(row.send) {
      const Site site;
      const Server proxy = haproxy(
          site.directory,
          "listen front\n  bind 127.0.0.1:{port}" +
              std::string(row.is_tls ? " ssl crt {dir}/site.pem ca-file {dir}/ca.pem verify optional" : "") +
              "\n  unique-id-format %{+X}o%ci\n  server seawall " + behind.seawall.address() + " " + row.send + "\n");
      ClientOptions options{.from = "127.0.0.3"};
      if (row.is_tls) options.tls = site.client();
      for (const std::string& certificate : {std::string(), site.add("known.pem", certificate_for({"known client"}))}) {
        if (!row.is_tls) break;
        options.tls->certificate = certificate;
        BOOST_TEST(Client(proxy.port(), options).get("/a").body == "a");
        const Fields seen = behind.origin.seen("/a").headers;
        BOOST_TEST(seen.get("X-SSL-Client-Verify") == (certificate.empty() ? "NONE" : "SUCCESS"));
        const bool tells_name = !certificate.empty() && contains(row.send, "ssl-cn");
        BOOST_TEST(seen.get("X-SSL-Client-S-DN") == (tells_name ? "CN=known client" : ""));
      }
      Client client(proxy.port(), options);
      BOOST_TEST(client.get("/a").body == "a");
      BOOST_TEST(behind.told() == "127.0.0.3");
      BOOST_TEST(behind.origin.seen("/a").headers.get("X-Forwarded-Proto") == (row.is_tls ? "https" : "http"));
    }
  }
}

// Who may open the socket is for its mode to say; "unix" trusts all of them.
BOOST_AUTO_TEST_CASE(a_unix_socket_takes_headers_as_well) {
  const TemporaryDirectory sockets;
  const std::string path = "unix:" + sockets.path() + "/http.sock";
  Behind behind({.listen = {path + " proxy"}});
  BOOST_TEST(Client(path, {.preamble = kV1}).get("/a").body == "a");
  BOOST_TEST(behind.told() == "192.0.2.7");
  Client without(path);
  without.send(request_bytes("GET", "/a"));
  BOOST_TEST(without.is_closed());
}

// Limits, purges and logs go by the client, not by the proxy that all of them come through.
BOOST_AUTO_TEST_CASE(limits_and_rules_go_by_the_client) {
  Behind behind({.server = "connections_per_client = 1"});
  const Admin admin(behind.seawall);
  Client one = behind.client("PROXY TCP4 192.0.2.1 192.0.2.9 1 80\r\n");
  Client two = behind.client("PROXY TCP4 192.0.2.2 192.0.2.9 1 80\r\n");
  BOOST_TEST(one.get("/a").body == "a");
  BOOST_TEST(two.get("/a").body == "a");
  Client again = behind.client("PROXY TCP4 192.0.2.1 192.0.2.9 2 80\r\n");
  again.send(request_bytes("GET", "/a"));
  BOOST_TEST(again.read().status != 200);
  BOOST_TEST(admin.metric("seawall_connections_refused_total{reason=\"client\"}") == 1);
  one.close();
  BOOST_TEST(until([&] { return behind.client("PROXY TCP4 192.0.2.1 192.0.2.9 3 80\r\n").get("/a").status == 200; }));
}

BOOST_AUTO_TEST_CASE(purges_are_allowed_by_the_clients_address) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: max-age=60"}, .body = "a"});
  Seawall seawall({.listen = {"127.0.0.1:0 proxy"},
                   .server = "trusted_proxies = [\"127.0.0.1\"]",
                   .whole = std::string(kAdminSection) +
                            "purge_from = [\"192.0.2.7\"]\n[[origin]]\nservers = [\"http://" + origin.authority() +
                            "\"]\n"});
  const auto purge = [&](const std::string& client) {
    Client operator_at(seawall, {.preamble = "PROXY TCP4 " + client + " 192.0.2.1 1 80\r\n"});
    return operator_at.request("PURGE", "/a").status;
  };
  BOOST_TEST(purge("192.0.2.7") == 200);
  BOOST_TEST(purge("192.0.2.8") != 200);
  BOOST_TEST(purge("127.0.0.1") != 200);
}

BOOST_AUTO_TEST_CASE(forwarded_fields_are_believed_from_listed_networks_only) {
  Origin origin;
  origin.on("/a", Reply{.headers = {"Cache-Control: no-store"}, .body = "a"});
  const TemporaryDirectory logs;
  Seawall seawall(origin, {.server = "trusted_proxies = [\"127.0.0.0/31\", \"198.51.100.0/24\"]",
                           .log = "access = \"" + logs.path() + "/access.log\""});
  const auto told = [&](const std::string& from, const Lines& lines) {
    BOOST_TEST(Client(seawall, {.from = from}).get("/a", lines).body == "a");
    return origin.seen("/a").headers;
  };
  // A trusted one: the last address that is not itself a trusted proxy is the client.
  Fields seen = told("127.0.0.1", {"X-Forwarded-For: 203.0.113.9, 192.0.2.7, 198.51.100.4", "X-Forwarded-Proto: https",
                                   "X-Forwarded-Host: shop.test"});
  BOOST_TEST(seen.get("X-Forwarded-For") == "203.0.113.9, 192.0.2.7, 198.51.100.4, 127.0.0.1");
  BOOST_TEST(seen.get("X-Forwarded-Proto") == "https");
  BOOST_TEST(until([&] { return logs.read("access.log").starts_with("192.0.2.7 "); }), logs.read("access.log"));
  seen = told("127.0.0.1", {"Forwarded: for=\"[2001:db8::7]:4711\";proto=https;host=shop.test"});
  BOOST_TEST(seen.get("Forwarded").starts_with("for=\"[2001:db8::7]:4711\";proto=https"), seen.get("Forwarded"));
  BOOST_TEST(contains(seen.get("Forwarded"), "for=127.0.0.1"));
  BOOST_TEST(until([&] { return contains(logs.read("access.log"), "2001:db8::7 "); }), logs.read("access.log"));
  // Nobody in particular: all that it says is dropped.
  seen = told(kElsewhere, {"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.test",
                           "Forwarded: for=203.0.113.9;proto=https", "X-Real-IP: 203.0.113.9"});
  BOOST_TEST(seen.get("X-Forwarded-For") == kElsewhere);
  BOOST_TEST(seen.get("X-Forwarded-Proto") == "http");
  BOOST_TEST(!contains(seen.get("Forwarded"), "203.0.113.9"));
  BOOST_TEST(seen.get("X-Real-IP") == "");
  BOOST_TEST(contains(seen.get("Forwarded"), std::string("for=") + kElsewhere));
  // What is no address is nobody.
  seen = told("127.0.0.1", {"X-Forwarded-For: unknown"});
  BOOST_TEST(until([&] { return contains(logs.read("access.log"), "\n127.0.0.1 "); }), logs.read("access.log"));
}

BOOST_AUTO_TEST_CASE(the_origin_gets_a_header_of_its_own, *boost::unit_test::precondition(Needs{{"nginx"}})) {
  const Site site({"127.0.0.1"});
  const Server server = nginx(site.directory, R"(
access_log off;
server {
  listen 127.0.0.1:{port} proxy_protocol;
  add_header Cache-Control no-store; add_header X-Client $proxy_protocol_addr; add_header X-Port $proxy_protocol_port;
  location / { return 200 ok; }
})");
  for (const char* version : {"v1", "v2"}) {
    BOOST_TEST_CONTEXT(version) {
      Seawall seawall({.listen = {"127.0.0.1:0 proxy"},
                       .server = "trusted_proxies = [\"127.0.0.1\"]",
                       .whole = "[[origin]]\nproxy_protocol = \"" + std::string(version) + "\"\nservers = [\"http://" +
                                server.authority() + "\"]\n"});
      Client one(seawall, {.preamble = "PROXY TCP4 192.0.2.1 192.0.2.9 1111 80\r\n"});
      Client two(seawall, {.preamble = "PROXY TCP4 192.0.2.2 192.0.2.9 2222 80\r\n"});
      Client six(seawall, {.preamble = "PROXY TCP6 2001:db8::7 2001:db8::1 3333 80\r\n"});
      // In turn, so that no connection to the origin may be another client's.
      for (int round = 0; round < 3; ++round) {
        const Response of_one = one.get("/1");
        BOOST_TEST(of_one.body == "ok", of_one);
        BOOST_TEST(of_one.get("X-Client") == "192.0.2.1");
        BOOST_TEST(of_one.get("X-Port") == "1111");
        BOOST_TEST(two.get("/2").get("X-Client") == "192.0.2.2");
        BOOST_TEST(six.get("/6").get("X-Client") == "2001:db8::7");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_origin_gets_it_in_front_of_tls, *boost::unit_test::precondition(Needs{{"nginx"}})) {
  const Site site({"127.0.0.1"});
  const Server server = nginx(site.directory, R"(
access_log off;
server {
  listen 127.0.0.1:{port} ssl proxy_protocol;
  ssl_certificate {dir}/site.pem; ssl_certificate_key {dir}/site.pem;
  add_header Cache-Control no-store; add_header X-Client $proxy_protocol_addr;
  location / { return 200 ok; }
})");
  Seawall seawall(std::string("[[origin]]\nproxy_protocol = \"v2\"\nservers = [\"https://") + server.authority() +
                  "\"]\ntls = { ca = \"" + site.ca + "\" }\n");
  const Response response = get(seawall, "/");
  BOOST_TEST(response.body == "ok", response);
  BOOST_TEST(response.get("X-Client") == "127.0.0.1");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace seawall::behave
