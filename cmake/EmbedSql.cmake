# besom_embed_sql(OUT_BASE SYMBOL_PREFIX KIND FILES...): turns one .sql file each into an entry of a C table.
# KIND "queries": an enum PREFIX_<NAME> and a table of {name, text}; "migrations": a table of {number, name, text}.
function(besom_embed_sql out kind)
    add_custom_command(
        OUTPUT ${out}.c ${out}.h
        COMMAND ${CMAKE_COMMAND} "-DFILES=${ARGN}" -DOUT=${out} -DKIND=${kind} -P ${CMAKE_SOURCE_DIR}/cmake/EmbedSqlScript.cmake
        DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/EmbedSqlScript.cmake VERBATIM)
endfunction()
