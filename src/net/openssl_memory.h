// Where OpenSSL's memory comes from. An idle connection under TLS is 14 KB of OpenSSL's in a few dozen pieces, and more
// than half of it in one, SSL itself (7,608 bytes with OpenSSL 3.0), which a general allocator rounds up to 8 KiB. The
// large ones get slots of their exact size; all else comes from malloc().
#pragma once

namespace seawall::net {

// Before OpenSSL is first used, once in a process; later it has no effect. Thread: main.
void use_openssl_pools();

}  // namespace seawall::net
