# The optimiser and its use; reference values are written by optim_reference.py.
add_library(optim_data STATIC optim_data.c)
target_link_libraries(optim_data PUBLIC optim PkgConfig::CMOCKA m)
besom_unit_test(test_optim_acquisition optim_data)
besom_unit_test(test_optim_gp optim_data ${CMAKE_DL_LIBS})
set_tests_properties(test_optim_gp PROPERTIES ENVIRONMENT OPENBLAS_NUM_THREADS=1) # as optim_new has it
besom_unit_test(test_optim_importance optim m)
besom_unit_test(test_optim_model optim m)
besom_unit_test(test_optim_numbers optim m)
besom_unit_test(test_optim_search optim m)
besom_unit_test(test_optim_spaces optim m)
set_tests_properties(test_optim_spaces PROPERTIES TIMEOUT 300) # a thousand spaces
besom_unit_test(test_suggestion_bayes suggestion_core m)
besom_unit_test(test_suggestion_optimizers suggestion_core m)
