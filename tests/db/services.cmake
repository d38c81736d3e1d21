# What services do with the store.
besom_db_test(test_db_decider scheduler_core)
besom_db_test(test_db_spec_cache suggestion_core)
besom_db_test(test_db_models suggestion_core)
besom_db_test(test_db_budgets suggestion_core)
besom_db_test(test_db_survey suggestion_core m)
include(controller.cmake)
