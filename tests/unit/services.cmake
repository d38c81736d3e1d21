# The logic of the services, without network and database.
besom_unit_test(test_service_tokens service)
besom_unit_test(test_service_metrics metrics)
besom_unit_test(test_service_ticker service)
besom_unit_test(test_service_json_lines json_lines)
besom_unit_test(test_suggestion_method suggestion_core)
besom_unit_test(test_scheduler_judge scheduler_core)
