# The controller in the test's own process, on a real database.
add_library(controller_fixture STATIC controller_fixture.c)
target_link_libraries(controller_fixture PUBLIC db_harness controller_core)
besom_db_test(test_controller_life controller_fixture)
besom_db_test(test_controller_streams controller_fixture)
besom_db_test(test_controller_outage controller_fixture)
besom_db_test(test_controller_orders controller_fixture)
