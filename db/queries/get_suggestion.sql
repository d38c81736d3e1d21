-- Why a configuration was suggested. $1 sweep, $2 ordinal. Called by store_get_suggestion.
SELECT why FROM besom.suggestions WHERE sweep_id = $1 AND ordinal = $2;
