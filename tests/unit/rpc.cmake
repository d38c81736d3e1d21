# Tests of lib/rpc: a shared echo service, and a server program for other languages' clients.
besom_protobuf(echo_proto ${CMAKE_CURRENT_SOURCE_DIR}/proto echo.proto)
add_library(rpc_echo STATIC rpc_echo.c)
target_link_libraries(rpc_echo PUBLIC rpc echo_proto)
target_include_directories(rpc_echo PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
add_library(rpc_fixture STATIC rpc_fixture.c)
target_link_libraries(rpc_fixture PUBLIC rpc_echo PkgConfig::CMOCKA)

besom_unit_test(test_rpc_unary rpc_fixture)
besom_unit_test(test_rpc_stream rpc_fixture)
besom_unit_test(test_rpc_life rpc_fixture)
besom_unit_test(test_rpc_observer rpc_fixture)
besom_unit_test(test_rpc_codec rpc_fixture PkgConfig::GRPC)
besom_unit_test(test_rpc_tls rpc_fixture)
target_compile_definitions(test_rpc_tls PRIVATE RPC_CERTIFICATES="${CMAKE_CURRENT_SOURCE_DIR}/rpc_certificates.sh")

add_executable(rpc_echo_server rpc_echo_server.c)
target_link_libraries(rpc_echo_server PRIVATE rpc_echo)
