# SPDX-License-Identifier: Apache-2.0
"""Tables: rows of any values, kept as JSON. And those that a plot of `wandb.plot` draws from."""
from . import _arrays
from ._media import Media, _AsJson


class Table(_AsJson):
    """Columns with names and rows of values, media among them."""

    _kind, _type = "table", "table-file"
    MAX_ROWS = 10000
    MAX_ARTIFACT_ROWS = 200000

    def __init__(self, columns=None, data=None, rows=None, dataframe=None, dtype=None, optional=True,
                 allow_mixed_types=False, log_mode="IMMUTABLE"):
        data = rows if data is None else data
        if dataframe is None and _arrays.is_frame(data):
            dataframe, data = data, None
        if dataframe is not None:
            columns = [str(name) for name in dataframe.columns]
            data = [[dataframe[name].iloc[row] for name in dataframe.columns] for row in range(len(dataframe))]
        elif data is not None and _arrays.is_array(data):
            data = _arrays.to_lists(data)
        self.data = [list(row) for row in data or []]
        if columns is None:
            columns = [str(number) for number in range(len(self.data[0]))] if self.data and dataframe is None and \
                data is not None else ["Input", "Output", "Expected"]
        self.columns = list(columns)
        for row in self.data:
            self._check(row)
        self._folder = None

    def _check(self, row):
        if len(row) != len(self.columns):
            raise ValueError(f"This table expects {len(self.columns)} columns: {self.columns}, found {len(row)}")

    def add_data(self, *data):
        self._check(data)
        self.data.append(list(data))

    def add_row(self, *row):
        self.add_data(*row)

    def add_column(self, name, data, optional=False):
        values = _arrays.to_lists(data) if _arrays.is_array(data) else list(data)
        if not self.data:
            self.data = [[] for _ in values]
        if len(values) != len(self.data):
            raise ValueError(f"Expected length {len(self.data)}, found {len(values)}")
        for row, value in zip(self.data, values):
            row.append(value)
        self.columns.append(name)

    def add_computed_columns(self, fn):
        for index, row in enumerate(self.data):
            for name, value in fn(index, dict(zip(self.columns, row))).items():
                if name not in self.columns:
                    self.columns.append(name)
                row.append(value)

    def get_column(self, name, convert_to=None):
        if name not in self.columns:
            raise KeyError(name)
        values = [row[self.columns.index(name)] for row in self.data]
        if convert_to == "numpy":
            import numpy
            return numpy.array(values)
        return values

    def get_index(self):
        return list(range(len(self.data)))

    def index_ref(self, index):
        return index

    def iterrows(self):
        for index, row in enumerate(self.data):
            yield index, row

    def get_dataframe(self):
        import pandas
        return pandas.DataFrame(self.data, columns=self.columns)

    def cast(self, col_name, dtype, optional=False):
        pass

    def set_pk(self, key_col):
        pass

    def set_fk(self, key_col, table, table_col):
        pass

    def __len__(self):
        return len(self.data)

    def __eq__(self, other):
        return isinstance(other, Table) and (self.columns, self.data) == (other.columns, other.data)

    __hash__ = None

    def _store(self, folder, key, step):
        self._folder, self._key, self._step = folder, key, step
        return super()._store(folder, key, step)

    def _value(self):
        return {"columns": self.columns, "data": [[self._cell(value) for value in row] for row in self.data]}

    def _cell(self, value):
        if isinstance(value, Media) and self._folder is not None:
            return value._store(self._folder, f"{self._key}_cell", self._step)
        if _arrays.is_array(value):
            return _arrays.to_lists(value)
        return value

    def _describe(self):
        return {"ncols": len(self.columns), "nrows": len(self.data)}


class JoinedTable(_AsJson):
    _kind, _type = "table", "joined-table"

    def __init__(self, table1, table2, join_key):
        self._tables, self._join_key = (table1, table2), join_key

    def _value(self):
        return {"join_key": self._join_key, "tables": [table._value() if isinstance(table, Table) else str(table)
                                                       for table in self._tables]}


class CustomChart(Table):
    """A table and how it is to be drawn."""

    def __init__(self, table, preset, fields=None, strings=None):
        super().__init__(columns=table.columns, data=table.data)
        self.table = table
        self.preset = preset
        self.fields = dict(fields or {})
        self.string_fields = dict(strings or {})

    def _value(self):
        return {**super()._value(), "chart": self.preset, "fields": self.fields, "texts": self.string_fields}

    def _describe(self):
        return {**super()._describe(), "chart": self.preset}
