// The main of every Boost.Test executable of the suite.
#define BOOST_TEST_MODULE seawall
#include <boost/test/unit_test.hpp>
