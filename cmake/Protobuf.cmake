# besom_protobuf(TARGET ROOT FILE.proto...): C messages and the descriptor set
# (for server reflection) of the given files, as an object-less static library.
# Headers are included by their path below ROOT: "besom/v1/types.pb-c.h".
function(besom_protobuf target root)
    set(out ${CMAKE_CURRENT_BINARY_DIR}/gen)
    file(MAKE_DIRECTORY ${out})
    set(sources)
    set(paths)
    foreach(file ${ARGN})
        string(REGEX REPLACE "\\.proto$" "" stem ${file})
        list(APPEND sources ${out}/${stem}.pb-c.c)
        list(APPEND paths ${root}/${file})
        add_custom_command(
            OUTPUT ${out}/${stem}.pb-c.c ${out}/${stem}.pb-c.h
            COMMAND ${PROTOC_C} --proto_path=${root} --c_out=${out} ${root}/${file}
            DEPENDS ${root}/${file} VERBATIM)
    endforeach()
    add_custom_command(
        OUTPUT ${out}/${target}.desc
        COMMAND ${PROTOC} --proto_path=${root} --include_imports --descriptor_set_out=${out}/${target}.desc ${paths}
        DEPENDS ${paths} VERBATIM)
    besom_embed_file(${out}/${target}_desc.c ${out}/${target}.desc ${target}_descriptor_set)
    add_library(${target} STATIC ${sources} ${out}/${target}_desc.c)
    set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET default)
    # Generated code is not held to the project's warnings.
    target_compile_options(${target} PRIVATE -w)
    target_include_directories(${target} SYSTEM PUBLIC ${out})
    target_link_libraries(${target} PUBLIC PkgConfig::PROTOBUF_C)
endfunction()

# besom_embed_file(OUT.c FILE SYMBOL): `const unsigned char SYMBOL[]` and `const size_t SYMBOL_size`.
function(besom_embed_file out file symbol)
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DSYMBOL=${symbol} -P ${CMAKE_SOURCE_DIR}/cmake/EmbedFile.cmake
        DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/EmbedFile.cmake VERBATIM)
endfunction()
