"""The classes of a workflow's nodes, which are to be known for its conversion."""

from comfytui.workflow.editor.document import read_document


def class_types(workflow: object) -> frozenset[str]:
    """Return the types of all nodes but instances of subgraphs; some may be nodes that only the editor has."""
    document = read_document(workflow)
    if document is None:
        return frozenset()
    graphs = (document.root, *document.subgraphs.values())
    return frozenset(node.type for graph in graphs for node in graph.nodes) - document.subgraphs.keys()
