# The controller's logic, without network and database.
besom_unit_test(test_controller_group controller_core)
besom_unit_test(test_controller_learners controller_core)
besom_unit_test(test_controller_buckets controller_core)
besom_unit_test(test_controller_pack controller_core)
besom_unit_test(test_controller_page controller_core)
besom_unit_test(test_controller_batch controller_core m)
besom_unit_test(test_controller_claim_table controller_core)
besom_unit_test(test_controller_run_picture controller_core m)
besom_unit_test(test_controller_standbys controller_core)
besom_unit_test(test_controller_states controller_core)
target_compile_definitions(test_controller_states
                           PRIVATE BESOM_SCHEMA="${CMAKE_SOURCE_DIR}/db/migrations/0001_create_sweeps.sql")
