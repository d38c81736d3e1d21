# besom_embed_sql(OUT_BASE KIND FILES...): makes OUT_BASE.c and OUT_BASE.h from .sql files, sorted by name.
# KIND "queries": an enum QUERY_<NAME> and a table of {name, text} (comment lines are left out).
# KIND "migrations": a table of {number, name, text}, in order of number; a gap fails the build.
function(besom_embed_sql out kind)
    set(script ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/EmbedSqlScript.cmake)
    add_custom_command(
        OUTPUT ${out}.c ${out}.h
        COMMAND ${CMAKE_COMMAND} "-DFILES=${ARGN}" -DOUT=${out} -DKIND=${kind} -P ${script}
        DEPENDS ${ARGN} ${script} VERBATIM)
endfunction()
